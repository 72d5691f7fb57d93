import { fractalNoise } from './noise.ts';
import { cellCentre } from './partition.ts';
import type { Random } from './random.ts';
import type { Style } from './style.ts';
import type { Place, Terrain } from './terrain.ts';

/** Metres to the nearest shore, negative in the water, bounded by `farFromWater`; and which water it is. */
export interface Waters {
  river: Float32Array;
  lake: Float32Array;
}

export const farFromWater = 60;

/** Draws the course of a river or a coast on the far side of the scene from the town, and a lake in an open parcel. */
export function drawWaters(
  random: Random,
  width: number,
  height: number,
  resolution: number,
  town: readonly [number, number],
  terrain: Terrain,
  style: Style,
): Waters {
  const length = width * height;
  const river = new Float32Array(length).fill(farFromWater);
  const lake = new Float32Array(length).fill(farFromWater);
  const w = width * resolution;
  const h = height * resolution;
  const size = Math.min(w, h);
  // Unit vector from the town across the middle of the scene.
  let ax = w / 2 - town[0];
  let ay = h / 2 - town[1];
  const distance = Math.hypot(ax, ay);
  if (distance < 1) [ax, ay] = [1, 0];
  else [ax, ay] = [ax / distance, ay / distance];

  const hasRiver = style.water === 'river' || style.water === 'both';
  if (hasRiver) {
    const offset = size * random.range(0.22, 0.36);
    const halfWidth = Math.min(random.range(5, 20), size / 14);
    const reach = Math.hypot(w, h);
    const waves = [1, 2, 3].map((order) => ({
      length: random.range(260, 520) / order,
      height: (random.range(0.04, 0.08) * Math.min(size, 700)) / order,
      phase: random.range(0, 2 * Math.PI),
    }));
    let last: [number, number] | null = null;
    for (let s = -reach; s <= reach; s += 5) {
      let side = offset;
      for (const wave of waves) side += wave.height * Math.sin((2 * Math.PI * s) / wave.length + wave.phase);
      const x = w / 2 + ax * side - ay * s;
      const y = h / 2 + ay * side + ax * s;
      const half = halfWidth * (1 + 0.18 * Math.sin(s / 47 + waves[0]!.phase));
      if (last) nearSegment(river, width, height, resolution, last[0], last[1], x, y, half);
      last = [x, y];
    }
  }
  if (style.water === 'coast') {
    const offset = size * random.range(0.02, 0.34);
    const waves = [1, 2, 4].map((order) => ({
      length: random.range(380, 700) / order,
      height: (random.range(0.02, 0.1) * Math.min(size, 700)) / order,
      phase: random.range(0, 2 * Math.PI),
    }));
    for (let row = 0; row < height; row++) {
      const dy = (row + 0.5) * resolution - h / 2;
      for (let column = 0; column < width; column++) {
        const dx = (column + 0.5) * resolution - w / 2;
        const s = dy * ax - dx * ay;
        let shore = offset;
        for (const wave of waves)
          shore += wave.height * Math.sin((2 * Math.PI * s) / wave.length + wave.phase);
        river[row * width + column] = Math.min(farFromWater, shore - dx * ax - dy * ay);
      }
    }
  }
  if (style.water === 'lake' || style.water === 'both') {
    const bed = lakeBed(
      random,
      terrain,
      w,
      h,
      (x, y) => river[Math.floor(y / resolution) * width + Math.floor(x / resolution)]!,
    );
    if (bed) {
      const lobes = [2, 3, 5].map((order) => ({
        order,
        height: random.range(0.04, 0.14) / Math.sqrt(order - 1),
        phase: random.range(0, 2 * Math.PI),
      }));
      for (let row = 0; row < height; row++) {
        const dy = (row + 0.5) * resolution - bed.y;
        for (let column = 0; column < width; column++) {
          const dx = (column + 0.5) * resolution - bed.x;
          const d = Math.hypot(dx, dy);
          if (d > bed.radius * 2 + farFromWater) continue;
          const angle = Math.atan2(dy, dx);
          let shore = 1;
          for (const lobe of lobes) shore += lobe.height * Math.sin(lobe.order * angle + lobe.phase);
          lake[row * width + column] = Math.min(farFromWater, d - bed.radius * shore);
        }
      }
    }
  }
  const ponds = style.variety?.ponds ?? 0;
  if (ponds > 0) {
    const hollows = random.fork('ponds');
    const scale = hollows.range(50, 140);
    const depth = fractalNoise(hollows, width, height, scale / resolution, 2, 0.4);
    // About so much of a normal field lies above: a share of 0.1 above 1.28 deviations.
    const level = 1.28 - 4 * (ponds - 0.1);
    for (let i = 0; i < length; i++)
      lake[i] = Math.min(lake[i]!, Math.max(-farFromWater, (level - depth[i]!) * scale * 0.35));
  }
  const ragged = fractalNoise(random, width, height, 14 / resolution, 3);
  for (let i = 0; i < length; i++) {
    river[i]! += ragged[i]! * 0.8;
    lake[i]! += ragged[i]! * 0.8;
  }
  return { river, lake };
}

/** The roomiest of a few open parcels in view, so that no road has to cross the lake: its centre and a radius that fits. */
function lakeBed(
  random: Random,
  terrain: Terrain,
  w: number,
  h: number,
  riverAt: (x: number, y: number) => number,
): { x: number; y: number; radius: number } | null {
  const place: Place = { parcel: 0, first: 0, second: 0, firstEdge: 0, secondEdge: 0, along: 0 };
  const beds: { x: number; y: number; radius: number }[] = [];
  for (const parcel of terrain.parcels) {
    if (parcel.use !== 'field' && parcel.use !== 'meadow' && parcel.use !== 'forest') continue;
    const [px, py] = cellCentre(parcel.cell);
    const [x, y] = terrain.fromPlan(px, py);
    terrain.locate(px, py, place);
    const radius = Math.min(place.first * 0.85, Math.min(w, h) * 0.13);
    if (x > 0 && y > 0 && x < w && y < h && radius > 8 && riverAt(x, y) > radius * 0.9)
      beds.push({ x, y, radius });
  }
  if (beds.length === 0) return null;
  beds.sort((a, b) => b.radius - a.radius);
  return beds[random.integer(Math.min(beds.length, 3))]!;
}

/** Lowers `field` to the distance from a segment less `half`. */
function nearSegment(
  field: Float32Array,
  width: number,
  height: number,
  resolution: number,
  x0: number,
  y0: number,
  x1: number,
  y1: number,
  half: number,
): void {
  const reach = half + farFromWater / 2;
  const firstColumn = Math.max(0, Math.floor((Math.min(x0, x1) - reach) / resolution));
  const lastColumn = Math.min(width - 1, Math.ceil((Math.max(x0, x1) + reach) / resolution));
  const firstRow = Math.max(0, Math.floor((Math.min(y0, y1) - reach) / resolution));
  const lastRow = Math.min(height - 1, Math.ceil((Math.max(y0, y1) + reach) / resolution));
  const ex = x1 - x0;
  const ey = y1 - y0;
  const squared = ex * ex + ey * ey || 1;
  for (let row = firstRow; row <= lastRow; row++) {
    const py = (row + 0.5) * resolution - y0;
    for (let column = firstColumn; column <= lastColumn; column++) {
      const px = (column + 0.5) * resolution - x0;
      const t = Math.min(Math.max((px * ex + py * ey) / squared, 0), 1);
      const d = Math.sqrt((px - t * ex) ** 2 + (py - t * ey) ** 2) - half;
      const i = row * width + column;
      if (d < field[i]!) field[i] = d;
    }
  }
}
