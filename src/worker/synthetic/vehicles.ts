import { type Box, type Canvas, everyProbe, forEachInBox } from './canvas.ts';
import { kind } from './classes.ts';
import { cellAxes, cellCentre, isRoad } from './partition.ts';
import type { Random } from './random.ts';
import type { Style } from './style.ts';
import type { Terrain } from './terrain.ts';

type Colour = readonly [number, number, number];

const paints: readonly Colour[] = [
  [0.9, 0.9, 0.9],
  [0.86, 0.87, 0.88],
  [0.6, 0.62, 0.64],
  [0.35, 0.36, 0.38],
  [0.13, 0.13, 0.14],
  [0.16, 0.17, 0.19],
  [0.62, 0.16, 0.14],
  [0.18, 0.28, 0.5],
];

/** Puts cars and lorries on roads, kerbs, yards and parking lots. They keep the kind of what they stand on. */
export function paintVehicles(random: Random, canvas: Canvas, terrain: Terrain, style: Style): void {
  if (canvas.resolution > 1.5) return;
  const lorryPark = random.fork('lorries');
  if (style.variety) pileHeaps(random.fork('heaps'), canvas, terrain, style.variety.heaps);
  for (const { cell, use } of terrain.parcels) {
    for (let i = 0; i < cell.corners.length; i++) {
      const border = cell.borders[i]!;
      if (!isRoad(border) || border.kind === 'track') continue;
      const [x0, y0] = cell.corners[i]!;
      const [x1, y1] = cell.corners[(i + 1) % cell.corners.length]!;
      const length = Math.hypot(x1 - x0, y1 - y0);
      const ux = (x1 - x0) / length;
      const uy = (y1 - y0) / length;
      const parked = border.kind === 'street';
      const every = parked ? 26 : border.kind === 'highway' ? 45 : 80;
      const lane = parked ? border.halfWidth - 1.1 : border.halfWidth / 2;
      for (let s = random.range(0, every); s < length; s += every * random.range(0.3, 1.7)) {
        park(
          random,
          canvas,
          terrain,
          x0 + ux * s - uy * lane,
          y0 + uy * s + ux * lane,
          ux,
          uy,
          kind.asphalt,
          !parked && random.chance(0.15),
        );
      }
    }
    if (use !== 'yard' && use !== 'parking') continue;
    const { ux, uy, along, across } = cellAxes(cell);
    const [cx, cy] = cellCentre(cell);
    // Drawn apart, so that scenes without variety stay the same.
    const lorries = style.variety && lorryPark.chance(0.5) ? lorryPark.range(0.1, 0.9) : 0;
    const rows = use === 'parking' ? Math.floor((across - 8) / 8.5) : 2;
    for (let row = 0; row < rows; row++) {
      const v = use === 'parking' ? (row - (rows - 1) / 2) * 8.5 : (row - 0.5) * (across - 13);
      const filled = use === 'parking' ? random.range(0.5, 0.9) : random.range(0.05, 0.45);
      for (let u = -along / 2 + 6; u < along / 2 - 6; u += 2.6) {
        if (!random.chance(filled)) continue;
        park(
          random,
          canvas,
          terrain,
          cx + ux * u - uy * v,
          cy + uy * u + ux * v,
          -uy,
          ux,
          kind.pavement,
          use === 'yard' && lorries > 0 && lorryPark.chance(lorries),
        );
      }
    }
  }
}

const stuffs: readonly Colour[] = [
  [0.75, 0.72, 0.66],
  [0.5, 0.42, 0.33],
  [0.66, 0.64, 0.6],
  [0.3, 0.45, 0.4],
  [0.25, 0.35, 0.55],
  [0.6, 0.3, 0.2],
  [0.28, 0.27, 0.26],
];

/** Pallets, containers and heaps about the yards, `perHectare` of them. They keep the yard's kind. */
function pileHeaps(random: Random, canvas: Canvas, terrain: Terrain, perHectare: number): void {
  const { red, green, blue, elevation } = canvas;
  for (const { cell, use } of terrain.parcels) {
    if (use !== 'yard') continue;
    const { ux, uy, along, across } = cellAxes(cell);
    const [cx, cy] = cellCentre(cell);
    const count = Math.round((along * across * perHectare) / 10_000);
    for (let n = 0; n < count; n++) {
      const u = random.range(-0.5, 0.5) * along;
      const v = random.range(-0.5, 0.5) * across;
      const [x, y] = terrain.fromPlan(cx + ux * u - uy * v, cy + uy * u + ux * v);
      const turn = random.chance(0.6) ? 0 : random.range(0, Math.PI);
      const box: Box = {
        x,
        y,
        ux: ux * Math.cos(turn) - uy * Math.sin(turn),
        uy: uy * Math.cos(turn) + ux * Math.sin(turn),
        halfLength: random.range(0.5, 3),
        halfWidth: random.range(0.5, 1.4),
      };
      const colour = random.pick(stuffs);
      const tall = random.range(0.4, 2.6);
      if (!everyProbe(canvas, box, (what) => what === kind.pavement)) continue;
      forEachInBox(canvas, box, (i) => {
        red[i] = colour[0];
        green[i] = colour[1];
        blue[i] = colour[2];
        elevation[i] = tall;
      });
    }
  }
}

function park(
  random: Random,
  canvas: Canvas,
  terrain: Terrain,
  px: number,
  py: number,
  ux: number,
  uy: number,
  ground: number,
  lorry: boolean,
): void {
  const [x, y] = terrain.fromPlan(px, py);
  const [tx, ty] = terrain.fromPlan(px + ux * 4, py + uy * 4);
  const length = Math.hypot(tx - x, ty - y) || 1;
  const box: Box = {
    x,
    y,
    ux: (tx - x) / length,
    uy: (ty - y) / length,
    halfLength: lorry ? random.range(4.5, 7) : random.range(2, 2.4),
    halfWidth: lorry ? 1.25 : 0.9,
  };
  const paint = lorry ? ([0.85, 0.85, 0.84] as const) : random.pick(paints);
  if (!everyProbe(canvas, box, (what) => what === ground)) return;
  const { red, green, blue, elevation } = canvas;
  const base =
    elevation[Math.floor(y / canvas.resolution) * canvas.width + Math.floor(x / canvas.resolution)]!;
  forEachInBox(canvas, box, (i, u) => {
    // Windscreens are dark.
    const glass = !lorry && Math.abs(Math.abs(u - 0.2) - 1.1) < 0.35 ? 0.45 : 1;
    red[i] = paint[0] * glass;
    green[i] = paint[1] * glass;
    blue[i] = paint[2] * glass;
    elevation[i] = base + (lorry ? 3.4 : 1.5);
  });
}
