import type { Sun } from './buildings.ts';
import { type Canvas, kindAt } from './canvas.ts';
import { kind } from './classes.ts';
import { fractalNoise, whiteNoise } from './noise.ts';
import { cellArea, cellCentre, extent, isRoad, type Point } from './partition.ts';
import type { Random } from './random.ts';
import type { Style } from './style.ts';
import type { Place, Terrain } from './terrain.ts';
import type { Waters } from './water.ts';

type Colour = readonly [number, number, number];

interface Species {
  form: 'dome' | 'cone' | 'bare' | 'shrub';
  colours: readonly Colour[];
}

const broadleaf: Record<Style['season'], Species> = {
  spring: {
    form: 'dome',
    colours: [
      [0.3, 0.4, 0.17],
      [0.36, 0.45, 0.21],
      [0.26, 0.36, 0.17],
      [0.5, 0.5, 0.4],
    ],
  },
  summer: {
    form: 'dome',
    colours: [
      [0.22, 0.32, 0.14],
      [0.27, 0.36, 0.17],
      [0.19, 0.28, 0.14],
      [0.31, 0.38, 0.19],
    ],
  },
  autumn: {
    form: 'dome',
    colours: [
      [0.5, 0.38, 0.16],
      [0.42, 0.37, 0.17],
      [0.3, 0.34, 0.16],
      [0.46, 0.28, 0.16],
    ],
  },
  winter: {
    form: 'bare',
    colours: [
      [0.44, 0.38, 0.32],
      [0.38, 0.34, 0.29],
      [0.47, 0.39, 0.33],
      [0.4, 0.38, 0.34],
    ],
  },
};
const conifer: Species = {
  form: 'cone',
  colours: [
    [0.13, 0.21, 0.14],
    [0.16, 0.24, 0.15],
    [0.12, 0.19, 0.14],
  ],
};
const palm: Species = {
  form: 'dome',
  colours: [
    [0.2, 0.27, 0.16],
    [0.26, 0.31, 0.2],
  ],
};
const shrub: Species = {
  form: 'shrub',
  colours: [
    [0.26, 0.32, 0.18],
    [0.3, 0.34, 0.2],
    [0.22, 0.28, 0.17],
  ],
};

const thicket: Species = {
  form: 'bare',
  colours: [
    [0.48, 0.38, 0.31],
    [0.42, 0.34, 0.28],
    [0.37, 0.35, 0.28],
    [0.47, 0.42, 0.37],
    [0.42, 0.39, 0.35],
  ],
};

/** Plants forests, garden and street trees, hedges, and trees along the water; crowns hide what is below them. */
export function paintTrees(
  random: Random,
  canvas: Canvas,
  terrain: Terrain,
  waters: Waters,
  style: Style,
  sun: Sun,
): void {
  const { width, height, resolution } = canvas;
  const w = width * resolution;
  const h = height * resolution;
  const arid = style.climate === 'arid';
  const leafy = arid ? palm : broadleaf[style.season];
  const twigs = whiteNoise(random.fork('twigs'), width * height);
  const leaves = fractalNoise(random, width, height, Math.max(1.5, 1.3 / resolution), 2, 0.7);
  const place: Place = { parcel: 0, first: 0, second: 0, firstEdge: 0, secondEdge: 0, along: 0 };
  const plant = (x: number, y: number, radius: number, tall: number, species: Species, what: number): void =>
    paintCrown(random, canvas, leaves, twigs, sun, x, y, radius, tall, species, what);
  const open = (x: number, y: number): boolean => isOpen(kindAt(canvas, x, y));

  // Forest: crowns on a jittered grid, stands of one age; conifers and broadleaf mix in patches.
  const mixture = fractalNoise(random, width, height, 70 / resolution, 2);
  const gap = 4.1;
  const coniferShare = random.range(-1.2, 0.9);
  for (let gy = -gap; gy < h + gap; gy += gap) {
    for (let gx = -gap; gx < w + gap; gx += gap) {
      const x = gx + random.range(-1.7, 1.7);
      const y = gy + random.range(-1.7, 1.7);
      const keep = random.next();
      const size = random.next();
      const there = kindAt(
        canvas,
        Math.min(Math.max(x, 0), w - resolution),
        Math.min(Math.max(y, 0), h - resolution),
      );
      if (there !== kind.forest || keep > 0.93) continue;
      const index =
        Math.min(Math.max(Math.floor(y / resolution), 0), height - 1) * width +
        Math.min(Math.max(Math.floor(x / resolution), 0), width - 1);
      if (!arid && mixture[index]! < coniferShare) {
        plant(x, y, 1.7 + 1.3 * size, 13 + 7 * size, conifer, kind.forest);
      } else {
        plant(x, y, 2.2 + 3.2 * size * size, 9 + 9 * size, leafy, kind.forest);
      }
    }
  }

  for (const parcel of terrain.parcels) {
    const [x0, x1] = extent(parcel.cell, 1, 0);
    const [y0, y1] = extent(parcel.cell, 0, 1);
    const [cx, cy] = cellCentre(parcel.cell);
    if (cx < -80 || cy < -80 || cx > w + 80 || cy > h + 80) continue;
    const area = cellArea(parcel.cell);
    const density: number =
      parcel.use === 'house'
        ? arid
          ? 0.004
          : 0.011
        : parcel.use === 'park'
          ? 0.006
          : parcel.use === 'apartments'
            ? 0.005
            : parcel.use === 'meadow'
              ? random.pick([0, 0.0001, 0.0005])
              : parcel.use === 'yard'
                ? 0.0008
                : parcel.use === 'bare'
                  ? 0.0022
                  : 0;
    const count = Math.round(area * density * random.range(0.4, 1.6));
    for (let n = 0; n < count; n++) {
      const px = random.range(x0, x1);
      const py = random.range(y0, y1);
      const size = random.next();
      terrain.locate(px, py, place);
      if (terrain.parcels[place.parcel] !== parcel) continue;
      const [x, y] = terrain.fromPlan(px, py);
      if (!open(x, y)) continue;
      if (parcel.use === 'bare' || size < 0.4)
        plant(x, y, 0.6 + 1.6 * size, 0.8 + 2 * size, shrub, kind.hedge);
      else if (!arid && random.chance(0.2)) plant(x, y, 1.5 + 1.3 * size, 6 + 9 * size, conifer, kind.tree);
      else plant(x, y, (arid ? 1.2 : 1.5) + 3 * size * size, 4 + 8 * size, leafy, kind.tree);
    }
    plantBorders(
      random,
      terrain,
      parcel.cell.corners,
      parcel.cell.borders,
      parcel.use,
      arid,
      open,
      (x, y, r, tall, form) =>
        plant(x, y, r, tall, form === 'shrub' ? shrub : leafy, form === 'shrub' ? kind.hedge : kind.tree),
    );
  }

  const { variety } = style;
  if (variety && variety.overgrown > 0) {
    // Scrub and trees in clumps on whatever green ground there is.
    const wild = random.fork('overgrown');
    const clumps = fractalNoise(wild, width, height, 18 / resolution, 2);
    const low = style.season === 'winter' ? thicket : shrub;
    const attempts = Math.round(((w * h) / 14) * variety.overgrown);
    const least = wild.range(0, 1.8);
    for (let n = 0; n < attempts; n++) {
      const x = wild.range(0, w);
      const y = wild.range(0, h);
      const size = wild.next();
      const bushy = wild.chance(0.4);
      const index =
        Math.min(Math.floor(y / resolution), height - 1) * width +
        Math.min(Math.floor(x / resolution), width - 1);
      if (clumps[index]! < least) continue;
      const there = canvas.kinds[index];
      if (there !== kind.meadow && there !== kind.lawn && there !== kind.soil) continue;
      if (bushy) plant(x, y, 0.7 + 1.2 * size, 1 + 2 * size, low, arid ? kind.hedge : kind.tree);
      else plant(x, y, 1.4 + 2.8 * size, 4 + 9 * size, leafy, kind.tree);
    }
  }

  if (variety) {
    // Waste ground that nobody has cut for years: bushes side by side, here and there a tree.
    const waste = random.fork('thicket');
    for (const parcel of terrain.parcels) {
      if (parcel.use !== 'thicket') continue;
      const [x0, x1] = extent(parcel.cell, 1, 0);
      const [y0, y1] = extent(parcel.cell, 0, 1);
      const low = style.season === 'winter' ? thicket : waste.chance(0.5) ? shrub : leafy;
      const trees = waste.range(0.02, 0.3);
      const count = Math.round(((x1 - x0) * (y1 - y0)) / waste.range(4, 9));
      for (let n = 0; n < count; n++) {
        const px = waste.range(x0, x1);
        const py = waste.range(y0, y1);
        const size = waste.next();
        const tall = waste.chance(trees);
        terrain.locate(px, py, place);
        if (terrain.parcels[place.parcel] !== parcel || place.first < 1) continue;
        const [x, y] = terrain.fromPlan(px, py);
        if (kindAt(canvas, x, y) !== kind.tree) continue;
        if (tall) plant(x, y, 1.6 + 2.8 * size, 5 + 7 * size, leafy, kind.tree);
        else plant(x, y, 0.9 + 1.7 * size, 1.2 + 2.4 * size, low, kind.tree);
      }
    }
  }

  if (!arid) {
    const attempts = Math.round((w * h) / 30);
    for (let n = 0; n < attempts; n++) {
      const x = random.range(0, w);
      const y = random.range(0, h);
      const size = random.next();
      const chance = random.next();
      const index =
        Math.min(Math.floor(y / resolution), height - 1) * width +
        Math.min(Math.floor(x / resolution), width - 1);
      const shore = Math.min(waters.river[index]!, waters.lake[index]!);
      if (shore < 1 || shore > 9 || chance > 0.55 - shore * 0.05 || mixture[index]! < -0.4) continue;
      if (open(x, y)) plant(x, y, 1.2 + 3 * size, 4 + 9 * size, leafy, kind.tree);
    }
  }
}

function isOpen(what: number): boolean {
  return (
    what === kind.lawn ||
    what === kind.meadow ||
    what === kind.pavement ||
    what === kind.sand ||
    what === kind.soil ||
    what === kind.forest
  );
}

/** Hedges between gardens and fields, rows of trees along roads. */
function plantBorders(
  random: Random,
  terrain: Terrain,
  corners: readonly Point[],
  borders: readonly { kind: string; halfWidth: number }[],
  use: string,
  arid: boolean,
  open: (x: number, y: number) => boolean,
  plant: (x: number, y: number, radius: number, tall: number, form: 'tree' | 'shrub') => void,
): void {
  for (let i = 0; i < corners.length; i++) {
    const border = borders[i]!;
    const [x0, y0] = corners[i]!;
    const [x1, y1] = corners[(i + 1) % corners.length]!;
    const length = Math.hypot(x1 - x0, y1 - y0);
    if (length < 6) continue;
    const ux = (x1 - x0) / length;
    const uy = (y1 - y0) / length;
    let spacing = 0;
    let offset = 0;
    let form: 'tree' | 'shrub' = 'shrub';
    let low = 0.6;
    let high = 0.9;
    if (border.kind === 'hedge') {
      [spacing, low, high] = [1.4, 1, 1.9];
      if (random.chance(0.3)) [spacing, low, high, form] = [5, 1.8, 3.6, 'tree'];
    } else if (border.kind === 'fence' && use === 'house' && !arid && random.chance(0.35)) {
      spacing = 0.9;
      offset = 0.6;
    } else if (
      (border.kind === 'highway' || border.kind === 'road') &&
      random.chance(use === 'field' ? 0.2 : 0.45)
    ) {
      [spacing, low, high, form] = [random.range(9, 16), 1.8, 3.4, 'tree'];
      offset = border.halfWidth + 1.7;
    } else if (border.kind === 'street' && random.chance(arid ? 0.25 : 0.2)) {
      [spacing, low, high, form] = [random.range(9, 14), 1.3, 2.5, 'tree'];
      offset = border.halfWidth + 1.2;
    } else if (isRoad(border as Parameters<typeof isRoad>[0]) && use === 'forest') {
      continue;
    }
    if (spacing === 0) continue;
    for (let s = spacing / 2; s < length; s += spacing * random.range(0.85, 1.15)) {
      if (random.chance(0.06)) continue;
      const [x, y] = terrain.fromPlan(x0 + ux * s - uy * offset, y0 + uy * s + ux * offset);
      const radius = random.range(low, high);
      if (open(x, y)) plant(x, y, radius, form === 'tree' ? radius * 2.6 + 2 : radius * 1.4, form);
    }
  }
}

/** One crown: ragged outline, leaves in clumps, lit from the sun's side; seen only where nothing higher stands. */
function paintCrown(
  random: Random,
  canvas: Canvas,
  leaves: Float32Array,
  twigs: Float32Array,
  sun: Sun,
  x: number,
  y: number,
  radius: number,
  tall: number,
  species: Species,
  what: number,
): void {
  const { width, height, resolution, red, green, blue, kinds, elevation } = canvas;
  const colour = species.colours[random.integer(species.colours.length)]!;
  const gain = random.range(0.85, 1.18);
  const reach = radius * 1.25;
  const firstRow = Math.max(0, Math.floor((y - reach) / resolution));
  const lastRow = Math.min(height - 1, Math.floor((y + reach) / resolution));
  const firstColumn = Math.max(0, Math.floor((x - reach) / resolution));
  const lastColumn = Math.min(width - 1, Math.floor((x + reach) / resolution));
  const depth = species.form === 'cone' ? 0.62 * tall : Math.min(tall * 0.55, radius * 1.1);
  const bare = species.form === 'bare';
  for (let row = firstRow; row <= lastRow; row++) {
    const dy = ((row + 0.5) * resolution - y) / radius;
    for (let column = firstColumn; column <= lastColumn; column++) {
      const dx = ((column + 0.5) * resolution - x) / radius;
      const i = row * width + column;
      const leaf = leaves[i]!;
      const d2 = dx * dx + dy * dy;
      const rim = 1 + 0.2 * leaf;
      if (d2 > rim * rim) continue;
      const d = Math.sqrt(d2) / rim;
      const top = species.form === 'cone' ? tall - depth * d : tall - depth * d * d;
      if (top <= elevation[i]!) continue;
      // Normal of a dome (or cone), flattened: leaves scatter.
      const steep = species.form === 'cone' ? 0.8 / Math.max(d, 0.3) : 0.95;
      const facing = (dx * sun.x + dy * sun.y) * steep;
      const tone = gain * (0.86 + 0.62 * facing * (1 - sun.z * 0.35) + 0.2 * leaf + 0.16 * (1 - d));
      // Twigs: specks of light and dark with the ground between them, denser towards the stem.
      const twig = bare ? twigs[i]! : 0;
      const opacity = bare ? Math.min(1, Math.max(0.15, 0.75 - 0.35 * d + 0.3 * twig + 0.2 * leaf)) : 1;
      const shade = Math.max(0.3, tone + 0.2 * twig);
      red[i] = red[i]! * (1 - opacity) + colour[0] * shade * opacity;
      green[i] = green[i]! * (1 - opacity) + colour[1] * shade * opacity;
      blue[i] = blue[i]! * (1 - opacity) + colour[2] * shade * opacity;
      if (opacity > 0.3) kinds[i] = what;
      // Few of the twigs stop the light.
      if (!bare || twig > 0.98) elevation[i] = top;
    }
  }
}
