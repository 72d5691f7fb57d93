import { type Box, type Canvas, everyProbe, forEachInBox } from './canvas.ts';
import { kind } from './classes.ts';
import type { Parcel } from './layout.ts';
import { cellArea, cellAxes, cellCentre, isRoad } from './partition.ts';
import type { Random } from './random.ts';
import type { Style, Variety } from './style.ts';
import type { Terrain } from './terrain.ts';

type Colour = readonly [number, number, number];

interface Roof {
  form: 'gable' | 'hip' | 'flat';
  colour: Colour;
  /** Metres from the ground to the eaves, and from there to the ridge. */
  eaves: number;
  rise: number;
  kind: number;
}

/** Unit vector towards the sun: east, south (as image rows run), up. */
export interface Sun {
  x: number;
  y: number;
  z: number;
}

const tiledRoofs: readonly Colour[] = [
  [0.56, 0.3, 0.22],
  [0.62, 0.36, 0.26],
  [0.47, 0.27, 0.22],
  [0.68, 0.42, 0.31],
  [0.4, 0.36, 0.34],
  [0.31, 0.31, 0.33],
  [0.26, 0.26, 0.28],
];
const hallRoofs: readonly Colour[] = [
  [0.86, 0.87, 0.88],
  [0.78, 0.79, 0.8],
  [0.62, 0.64, 0.66],
  [0.5, 0.53, 0.56],
  [0.26, 0.27, 0.29],
  [0.46, 0.56, 0.66],
  [0.7, 0.66, 0.58],
];
const flatRoofs: readonly Colour[] = [
  [0.62, 0.61, 0.59],
  [0.5, 0.49, 0.48],
  [0.74, 0.72, 0.68],
  [0.38, 0.38, 0.39],
];
interface SolarArray {
  colour: Colour;
  /** Metres from row to row, and whether rows run across the length. */
  row: number;
  /** Share of that where the roof shows between the rows. */
  open: number;
  along: boolean;
  /** Whether no panel lies there. */
  gap: (u: number, v: number) => boolean;
}

const panelColours: readonly Colour[] = [
  [0.16, 0.2, 0.3],
  [0.25, 0.3, 0.38],
  [0.33, 0.4, 0.48],
  [0.13, 0.14, 0.17],
];

/** Panels in fields of several metres, some of them left out for skylights and paths. */
function drawSolarArray(random: Random): SolarArray {
  const field = random.range(6, 16);
  const path = random.range(0.4, 1.4);
  const missing = random.range(0, 0.3);
  const holes = Uint8Array.from({ length: 1024 }, () => (random.chance(missing) ? 1 : 0));
  const inner = random.range(2.5, 5);
  return {
    colour: shade(random, random.pick(panelColours)),
    row: random.range(1.2, 2.6),
    open: random.chance(0.7) ? random.range(0.2, 0.5) : 0,
    along: random.chance(0.5),
    gap: (u, v) => {
      const column = Math.floor(u / field);
      const line = Math.floor(v / field);
      const beside = Math.min(u - column * field, v - line * field);
      if (beside < path) return true;
      if (!holes[(((column * 31 + line) % 1024) + 1024) % 1024]) return false;
      return (
        Math.abs(u - (column + 0.5) * field) < inner / 2 && Math.abs(v - (line + 0.5) * field) < inner / 2
      );
    },
  };
}

const darkRoofs: readonly Colour[] = [
  [0.17, 0.18, 0.2],
  [0.23, 0.24, 0.26],
  [0.3, 0.32, 0.35],
  [0.36, 0.4, 0.44],
  [0.42, 0.45, 0.49],
];
const desertRoofs: readonly Colour[] = [
  [0.88, 0.86, 0.82],
  [0.8, 0.76, 0.69],
  [0.72, 0.68, 0.63],
  [0.93, 0.92, 0.9],
  [0.62, 0.5, 0.42],
  [0.55, 0.36, 0.28],
];

const whiteRoofs: readonly Colour[] = [
  [0.87, 0.88, 0.89],
  [0.8, 0.82, 0.85],
  [0.72, 0.74, 0.76],
];

/** What a varied flat roof carries besides its colour. */
interface RoofFittings {
  /** Width of the parapet, metres, and its colour. */
  parapet: number;
  rim: Colour;
  /** Metres from skylight to skylight along and across, half of the length and the width of one; none where 0. */
  pitchU: number;
  pitchV: number;
  halfU: number;
  halfV: number;
  light: Colour;
  /** Metres from joint to joint of the roof's parts; none where 0. */
  bay: number;
}

function drawFittings(random: Random, colour: Colour): RoofFittings {
  const dark = colour[1] < 0.5;
  const lit = random.chance(dark ? 0.85 : 0.6);
  const long = random.range(0.5, 3.6);
  const short = random.range(0.5, 1.2);
  const along = random.chance(0.5);
  const glass = random.range(0.75, 0.95);
  const rim = dark && random.chance(0.75) ? random.range(0.55, 0.85) : colour[1] * 1.1;
  return {
    parapet: random.range(0.4, 1),
    rim: [rim, rim, rim],
    pitchU: lit ? random.range(7, 18) : 0,
    pitchV: lit ? random.range(6, 15) : 0,
    halfU: along ? long : short,
    halfV: along ? short : long,
    light: dark || random.chance(0.5) ? [glass, glass * 1.01, glass * 1.02] : [0.56, 0.58, 0.6],
    bay: random.chance(0.5) ? random.range(16, 45) : 0,
  };
}

/** Puts houses, apartment blocks and halls on their lots; none stands on a road or in water, and none overlaps another. */
export function paintBuildings(
  random: Random,
  canvas: Canvas,
  terrain: Terrain,
  style: Style,
  sun: Sun,
): void {
  // One district was built in one time: its roofs resemble each other.
  const fashion = random.integer(tiledRoofs.length);
  for (const parcel of terrain.parcels) {
    switch (parcel.use) {
      case 'house':
        placeHouse(random, canvas, terrain, parcel, style, sun, fashion);
        break;
      case 'apartments':
        placeRows(random, canvas, terrain, parcel, style, sun);
        break;
      case 'yard':
        placeHalls(random, canvas, terrain, parcel, style, sun);
        break;
      case 'meadow':
      case 'park':
        if (random.chance(0.15)) placeShed(random, canvas, terrain, parcel, sun);
        break;
    }
  }
}

/** Centre and direction in the scene of something placed in the plan. */
function bend(
  terrain: Terrain,
  x: number,
  y: number,
  ux: number,
  uy: number,
): Pick<Box, 'x' | 'y' | 'ux' | 'uy'> {
  const [cx, cy] = terrain.fromPlan(x, y);
  const [tx, ty] = terrain.fromPlan(x + ux * 10, y + uy * 10);
  const length = Math.hypot(tx - cx, ty - cy) || 1;
  return { x: cx, y: cy, ux: (tx - cx) / length, uy: (ty - cy) / length };
}

function mayBuild(what: number): boolean {
  return (
    what === 0 ||
    what === kind.lawn ||
    what === kind.meadow ||
    what === kind.pavement ||
    what === kind.sand ||
    what === kind.soil
  );
}

function placeHouse(
  random: Random,
  canvas: Canvas,
  terrain: Terrain,
  parcel: Parcel,
  style: Style,
  sun: Sun,
  fashion: number,
): void {
  const { cell } = parcel;
  const frontage = frontEdge(parcel);
  const [x0, y0] = cell.corners[frontage]!;
  const [x1, y1] = cell.corners[(frontage + 1) % cell.corners.length]!;
  const length = Math.hypot(x1 - x0, y1 - y0);
  const ux = (x1 - x0) / length;
  const uy = (y1 - y0) / length;
  const arid = style.climate === 'arid';
  const road = cell.borders[frontage]!;
  const halfLength = Math.min(random.range(4.6, 7) * (arid ? 1.25 : 1), length / 2 - 1.6);
  const halfWidth = random.range(3.9, 5.2) * (arid ? 1.3 : 1);
  if (halfLength < 3) return;
  const setback = (isRoad(road) ? road.halfWidth + 1.8 : 1) + random.range(1.5, 6);
  const gable = !arid && random.chance(0.88);
  const colour = arid
    ? random.pick(desertRoofs)
    : gable
      ? shade(random, tiledRoofs[random.chance(0.6) ? fashion : random.integer(tiledRoofs.length)]!)
      : random.pick(flatRoofs);
  const roof: Roof = {
    form: gable ? (random.chance(0.25) ? 'hip' : 'gable') : 'flat',
    colour,
    eaves: random.range(3.2, 6.2),
    rise: gable ? random.range(2.2, 3.8) : 0,
    kind: kind.house,
  };
  const depth = setback + halfWidth;
  const middle = random.range(-0.15, 0.15) * length;
  const at = (along: number, inwards: number): Box => ({
    ...bend(
      terrain,
      (x0 + x1) / 2 + ux * (middle + along) - uy * inwards,
      (y0 + y1) / 2 + uy * (middle + along) + ux * inwards,
      ux,
      uy,
    ),
    halfLength,
    halfWidth,
  });
  const house = at(0, depth);
  if (!everyProbe(canvas, house, mayBuild)) return;
  // Drive and terrace before walls: what stands later lies above.
  if (!arid) {
    const drive = { ...at(halfLength + 1.6, depth / 2), halfLength: 1.5, halfWidth: depth / 2 };
    paintPaving(canvas, drive, [0.6, 0.58, 0.54]);
    if (random.chance(0.7))
      paintPaving(
        canvas,
        { ...at(0, depth + halfWidth + 1.6), halfLength: 3, halfWidth: 1.7 },
        [0.68, 0.63, 0.57],
      );
  }
  if (random.chance(arid ? 0.25 : 0.08)) {
    paintPool(canvas, { ...at(random.range(-3, 3), depth + halfWidth + 6), halfLength: 3.6, halfWidth: 1.9 });
  }
  const wing = random.chance(0.4)
    ? {
        ...at(halfLength * 0.45, depth + halfWidth * 0.9),
        halfLength: halfWidth * 1.05,
        halfWidth: halfLength * 0.5,
      }
    : null;
  if (wing) {
    [wing.ux, wing.uy] = [-wing.uy, wing.ux];
    if (everyProbe(canvas, wing, mayBuild))
      raiseRoof(random, canvas, wing, { ...roof, rise: roof.rise * 0.85 }, sun);
  }
  raiseRoof(random, canvas, house, roof, sun);
  if (random.chance(0.65)) {
    const garage: Box = { ...at(halfLength + 2, depth + random.range(1, 4)), halfLength: 1.7, halfWidth: 3 };
    if (everyProbe(canvas, garage, mayBuild)) {
      raiseRoof(
        random,
        canvas,
        garage,
        { form: 'flat', colour: random.pick(flatRoofs), eaves: 2.6, rise: 0, kind: kind.house },
        sun,
      );
    }
  }
  if (random.chance(0.4)) {
    const shed: Box = {
      ...at(random.range(-5, 5), depth + halfWidth + random.range(9, 13)),
      halfLength: 1.8,
      halfWidth: 1.3,
    };
    if (everyProbe(canvas, shed, mayBuild)) {
      raiseRoof(
        random,
        canvas,
        shed,
        { form: 'gable', colour: [0.42, 0.36, 0.3], eaves: 2, rise: 0.7, kind: kind.house },
        sun,
      );
    }
  }
}

/** Index of the edge that a house faces: the longest on a road, or the longest of all. */
function frontEdge(parcel: Parcel): number {
  const { corners, borders } = parcel.cell;
  let best = 0;
  let bestScore = -1;
  for (let i = 0; i < corners.length; i++) {
    const [x0, y0] = corners[i]!;
    const [x1, y1] = corners[(i + 1) % corners.length]!;
    const score = Math.hypot(x1 - x0, y1 - y0) + (isRoad(borders[i]!) ? 1000 : 0);
    if (score > bestScore) {
      bestScore = score;
      best = i;
    }
  }
  return best;
}

/** Rows of apartment blocks across the lot, lawn and parking between them. */
function placeRows(
  random: Random,
  canvas: Canvas,
  terrain: Terrain,
  parcel: Parcel,
  style: Style,
  sun: Sun,
): void {
  const { ux, uy, along, across } = cellAxes(parcel.cell);
  const [cx, cy] = cellCentre(parcel.cell);
  const spacing = random.range(26, 34);
  const halfWidth = random.range(5.5, 8);
  const { variety } = style;
  const usual = random.pick(style.climate === 'arid' ? desertRoofs : flatRoofs);
  const colour = variety && random.chance(variety.darkRoofs / 2) ? random.pick(darkRoofs) : usual;
  const pitched = style.climate !== 'arid' && random.chance(0.35);
  const eaves = random.range(9, 18);
  const roof: Roof = {
    form: pitched ? 'gable' : 'flat',
    colour: pitched ? random.pick(tiledRoofs) : colour,
    eaves,
    rise: pitched ? 3.5 : 0,
    kind: kind.block,
  };
  const count = Math.max(1, Math.floor((along - 14) / spacing));
  for (let i = 0; i < count; i++) {
    const offset = (i - (count - 1) / 2) * spacing;
    const box: Box = {
      ...bend(terrain, cx + ux * offset, cy + uy * offset, -uy, ux),
      halfLength: Math.min(across / 2 - 8, random.range(17, 30)),
      halfWidth,
    };
    while (box.halfLength > 8 && !everyProbe(canvas, box, mayBuild)) box.halfLength -= 3;
    if (box.halfLength <= 8) continue;
    const lane: Box = {
      ...box,
      x: box.x + box.uy * (halfWidth + 5),
      y: box.y - box.ux * (halfWidth + 5),
      halfWidth: 2.4,
    };
    if (everyProbe(canvas, lane, mayBuild)) paintPaving(canvas, lane, [0.5, 0.5, 0.49]);
    raiseRoof(random, canvas, box, roof, sun, variety);
  }
}

function placeHalls(
  random: Random,
  canvas: Canvas,
  terrain: Terrain,
  parcel: Parcel,
  { variety }: Style,
  sun: Sun,
): void {
  const { ux, uy, along, across } = cellAxes(parcel.cell);
  const [cx, cy] = cellCentre(parcel.cell);
  const parts = random.chance(0.35) && along > 70 ? 2 : 1;
  for (let part = 0; part < parts; part++) {
    const offset = (part - (parts - 1) / 2) * (along / parts) * 0.95;
    const shift = random.range(-0.05, 0.05) * across;
    const box: Box = {
      ...bend(terrain, cx + ux * offset - uy * shift, cy + uy * offset + ux * shift, ux, uy),
      halfLength: (along / parts / 2) * random.range(0.55, 0.8),
      halfWidth: (across / 2) * random.range(0.5, 0.74),
    };
    while (box.halfWidth > 6 && !everyProbe(canvas, box, mayBuild)) {
      box.halfLength *= 0.92;
      box.halfWidth *= 0.92;
    }
    if (box.halfWidth <= 6) continue;
    const shallow = random.chance(0.3);
    raiseRoof(
      random,
      canvas,
      box,
      {
        form: shallow ? 'gable' : 'flat',
        colour: shade(
          random,
          random.pick(
            variety && random.chance(variety.darkRoofs)
              ? darkRoofs
              : variety && random.chance(0.5)
                ? whiteRoofs
                : hallRoofs,
          ),
        ),
        eaves: random.range(6, 12),
        rise: shallow ? box.halfWidth * 0.12 : 0,
        kind: kind.hall,
      },
      sun,
      variety,
    );
  }
}

function placeShed(random: Random, canvas: Canvas, terrain: Terrain, parcel: Parcel, sun: Sun): void {
  if (cellArea(parcel.cell) < 3000) return;
  const { ux, uy } = cellAxes(parcel.cell);
  const [cx, cy] = cellCentre(parcel.cell);
  const box: Box = {
    ...bend(terrain, cx + random.range(-15, 15), cy + random.range(-15, 15), ux, uy),
    halfLength: random.range(5, 13),
    halfWidth: random.range(3.5, 7),
  };
  if (!everyProbe(canvas, box, mayBuild)) return;
  raiseRoof(
    random,
    canvas,
    box,
    { form: 'gable', colour: random.pick(tiledRoofs), eaves: 4, rise: 2.5, kind: kind.house },
    sun,
  );
}

function paintPaving(canvas: Canvas, box: Box, colour: Colour): void {
  const { red, green, blue, kinds } = canvas;
  forEachInBox(canvas, box, (i, u, v) => {
    if (!mayBuild(kinds[i]!) || canvas.elevation[i]! > 0) return;
    const tone = 1 + 0.03 * Math.sin(u * 1.7 + v * 0.6);
    red[i] = colour[0] * tone;
    green[i] = colour[1] * tone;
    blue[i] = colour[2] * tone;
    kinds[i] = kind.pavement;
  });
}

function paintPool(canvas: Canvas, box: Box): void {
  if (!everyProbe(canvas, box, mayBuild)) return;
  const { red, green, blue, kinds } = canvas;
  forEachInBox(
    canvas,
    { ...box, halfLength: box.halfLength + 0.8, halfWidth: box.halfWidth + 0.8 },
    (i, u, v) => {
      const inside = Math.abs(u) < box.halfLength && Math.abs(v) < box.halfWidth;
      red[i] = inside ? 0.36 : 0.78;
      green[i] = inside ? 0.68 : 0.76;
      blue[i] = inside ? 0.76 : 0.72;
      kinds[i] = inside ? kind.pool : kind.pavement;
    },
  );
}

function shade(random: Random, colour: Colour): Colour {
  const gain = random.range(0.88, 1.1);
  return [colour[0] * gain, colour[1] * gain, colour[2] * gain];
}

/**
 * Raises one roof: slopes lit by the sun, seams or tiles, and what stands on roofs. A higher roof hides a lower one.
 * With `variety`, flat roofs may be covered with panels all over, and carry skylights and parapets of every size.
 */
function raiseRoof(
  random: Random,
  canvas: Canvas,
  box: Box,
  roof: Roof,
  sun: Sun,
  variety: Variety | undefined = undefined,
): void {
  const { red, green, blue, kinds, elevation, resolution } = canvas;
  const slope = roof.rise / box.halfWidth;
  const across = 1 / Math.hypot(1, slope);
  // Sun along the box's own axes; v runs along (-uy, ux).
  const sunU = sun.x * box.ux + sun.y * box.uy;
  const sunV = -sun.x * box.uy + sun.y * box.ux;
  const flatLight = sun.z;
  const light = (normalU: number, normalV: number): number =>
    0.5 + (0.5 * Math.max(0, sunU * normalU + sunV * normalV + sun.z * across)) / flatLight;
  const lit = [
    light(0, slope * across),
    light(0, -slope * across),
    light(slope * across, 0),
    light(-slope * across, 0),
  ];
  const seam = roof.kind === kind.hall ? random.range(4, 9) : random.range(0.35, 0.6);
  const seamStrength = roof.kind === kind.hall ? 0.05 : 0.035;
  const seamVisible = Math.min(1, seam / (2.2 * resolution));
  const mottle = random.range(0.01, 0.045);
  const phase = random.range(0, 6);
  const panels =
    roof.form === 'flat' ? random.chance(roof.kind === kind.hall ? 0.25 : 0.08) : random.chance(0.12);
  const panelSide = random.chance(0.5) ? 1 : -1;
  const skylights = roof.kind === kind.hall && random.chance(0.6) ? random.range(7, 13) : 0;
  const solar = variety !== undefined && roof.form === 'flat' && random.chance(variety.solarRoofs);
  const array = solar ? drawSolarArray(random) : null;
  const fittings = variety && roof.form === 'flat' ? drawFittings(random, roof.colour) : null;
  const smooth = fittings !== null && random.chance(0.6);
  forEachInBox(canvas, box, (i, u, v) => {
    let height = roof.eaves;
    let face = 1;
    if (roof.rise > 0) {
      const toSide = box.halfWidth - Math.abs(v);
      const toEnd = box.halfLength - Math.abs(u);
      if (roof.form === 'hip' && toEnd < toSide) {
        height += slope * toEnd;
        face = u > 0 ? lit[2]! : lit[3]!;
      } else {
        height += slope * toSide;
        face = v > 0 ? lit[0]! : lit[1]!;
      }
      if (Math.abs(v) < 0.3) face *= 1.08;
    } else if (box.halfWidth - Math.abs(v) < 0.45 || box.halfLength - Math.abs(u) < 0.45) {
      // Parapet.
      height += 0.5;
      face = 1.1;
    }
    if (height <= elevation[i]!) return;
    const line = roof.kind === kind.hall ? u : v;
    const pattern = !smooth && Math.cos((2 * Math.PI * line) / seam) > 0.8 ? -seamStrength * seamVisible : 0;
    const stain = mottle * (Math.sin(u * 0.7 + phase) + Math.sin(v * 1.3 + u * 0.31 + phase * 2));
    let tone = face * (1 + pattern + stain);
    let [r, g, b] = roof.colour;
    if (
      array &&
      box.halfLength - Math.abs(u) > 1.5 &&
      box.halfWidth - Math.abs(v) > 1.5 &&
      !array.gap(u, v)
    ) {
      const line = array.along ? u : v;
      // Rows finer than two pixels mix into one tone.
      const visible = Math.min(1, array.row / (2.2 * resolution));
      if (array.open > 0) {
        const bare = line / array.row - Math.floor(line / array.row) < array.open ? 1 : 0;
        const share = array.open + (bare - array.open) * visible;
        r = array.colour[0] + (r * tone - array.colour[0]) * share;
        g = array.colour[1] + (g * tone - array.colour[1]) * share;
        b = array.colour[2] + (b * tone - array.colour[2]) * share;
        tone = 1;
      } else {
        [r, g, b] = array.colour;
        tone = Math.cos((2 * Math.PI * line) / array.row) > 0.45 ? 1 + 0.45 * visible : 1 - 0.12 * visible;
      }
    } else if (
      panels &&
      v * panelSide > 0.6 &&
      Math.abs(u) < box.halfLength - 1.2 &&
      Math.abs(v) < box.halfWidth - 0.9
    ) {
      r = 0.17;
      g = 0.21;
      b = 0.31;
      tone = 1 + (Math.cos((2 * Math.PI * u) / 1.7) > 0.8 ? 0.35 * Math.min(1, 0.5 / resolution) : 0);
      if (roof.kind === kind.hall && Math.cos((2 * Math.PI * v) / 3.4) > 0.55) [r, g, b] = roof.colour;
    } else if (fittings) {
      const { pitchU, pitchV, halfU, halfV, bay, parapet } = fittings;
      const rim = Math.min(box.halfWidth - Math.abs(v), box.halfLength - Math.abs(u));
      const away = (place: number, pitch: number) => Math.abs(place - pitch * Math.round(place / pitch));
      if (rim < parapet) {
        [r, g, b] = fittings.rim;
        tone = 1;
      } else if (
        pitchU > 0 &&
        rim > 2 &&
        away(u + pitchU / 2, pitchU) < halfU &&
        away(v + pitchV / 2, pitchV) < halfV
      ) {
        [r, g, b] = fittings.light;
        tone = 1;
      } else if (bay > 0 && away(u, bay) < 0.3) {
        tone *= 0.7;
      }
    } else if (skylights > 0) {
      const along = u - skylights * Math.round(u / skylights);
      const beside = v - skylights * Math.round(v / skylights);
      if (Math.abs(along) < 1.3 && Math.abs(beside) < 0.6 && box.halfLength - Math.abs(u) > 2) {
        [r, g, b] = [0.9, 0.92, 0.93];
        tone = 1;
      }
    }
    red[i] = r * tone;
    green[i] = g * tone;
    blue[i] = b * tone;
    kinds[i] = roof.kind;
    elevation[i] = height;
  });
  const boxes =
    roof.form === 'flat' ? Math.round((box.halfLength * box.halfWidth) / 70) : random.chance(0.6) ? 1 : 0;
  for (let n = 0; n < boxes; n++) {
    const u = random.range(-0.75, 0.75) * box.halfLength;
    const v = random.range(-0.7, 0.7) * box.halfWidth;
    const half = roof.form === 'flat' ? random.range(0.6, 1.6) : 0.45;
    const tone = random.range(0.45, 0.85);
    const unit: Box = {
      ...box,
      x: box.x + u * box.ux - v * box.uy,
      y: box.y + u * box.uy + v * box.ux,
      halfLength: half,
      halfWidth: half * random.range(0.6, 1),
    };
    forEachInBox(canvas, unit, (i) => {
      if (kinds[i] !== roof.kind) return;
      red[i] = tone;
      green[i] = tone;
      blue[i] = tone;
      elevation[i]! += roof.form === 'flat' ? 1.4 : 0.9;
    });
  }
}
