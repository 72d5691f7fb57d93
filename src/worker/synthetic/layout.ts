import { kind } from './classes.ts';
import {
  type Border,
  type Cell,
  cellArea,
  cellAxes,
  cellCentre,
  cutCell,
  extent,
  type Partition,
} from './partition.ts';
import type { Random } from './random.ts';
import type { Style } from './style.ts';

export type Use =
  | 'field'
  | 'meadow'
  | 'park'
  | 'forest'
  | 'bare'
  /** Waste ground under bushes. */
  | 'thicket'
  | 'house'
  | 'apartments'
  | 'yard'
  | 'parking';

/** One parcel of land: a cell and what is on it. Colours are 0-1 red, green, blue. */
export interface Parcel {
  cell: Cell;
  use: Use;
  ground: number;
  colour: readonly [number, number, number];
  /** Direction of rows as a unit vector across them; spacing in metres (0: none) and strength 0-1. */
  rowX: number;
  rowY: number;
  rowSpacing: number;
  rowStrength: number;
  /** Metres between the tracks of a sprayer, 0: none. */
  tramlines: number;
  /** Strength of patches of 5-50 m, of metres, and of single pixels. */
  coarse: number;
  medium: number;
  fine: number;
  /** Share of bare patches showing through, 0-1. */
  patches: number;
}

export interface Layout {
  tree: Partition;
  parcels: Parcel[];
  /** Where the settlement is, metres; water keeps away from it. */
  town: readonly [number, number];
}

/** Dealt in turn to the parts of open districts, so that bare ground comes first and no kind is left out. */
const openUses: readonly Use[] = ['bare', 'meadow', 'park', 'bare', 'meadow', 'meadow'];

type District = 'residential' | 'industrial' | 'forest' | 'open' | 'field';

/**
 * The plan of a scene of `width` × `height` metres: roads cut the land into districts, each district gets a use, and is
 * cut further into blocks, lots and fields. Plan coordinates are straight; the scene bends them.
 */
export function planLayout(random: Random, width: number, height: number, style: Style): Layout {
  const parcels: Parcel[] = [];
  const angle = random.range(-0.6, 0.6);
  const reach = Math.hypot(width, height) * 0.62 + 60;
  const cos = Math.cos(angle) * reach;
  const sin = Math.sin(angle) * reach;
  const mx = width / 2;
  const my = height / 2;
  const none: Border = { kind: 'none', halfWidth: 0 };
  const root: Cell = {
    corners: [
      [mx - cos + sin, my - sin - cos],
      [mx + cos + sin, my + sin - cos],
      [mx + cos - sin, my + sin + cos],
      [mx - cos - sin, my - sin + cos],
    ],
    borders: [none, none, none, none],
  };
  const town: [number, number] = [width * random.range(0.2, 0.8), height * random.range(0.2, 0.8)];
  const districtArea = Math.min(Math.max((width * height) / 8, 12_000), 130_000);

  const districts: Cell[] = [];
  const outline = cutToDistricts(random, root, districtArea, width, height, 0, districts);
  const uses = assignDistricts(random, districts, width, height, town, style);

  let next = 0;
  const openParts = { count: 0 };
  const grow = (node: DistrictTree): Partition => {
    if ('cell' in node)
      return furnish(random, node.cell, uses[next++]!, style, parcels, openParts, width, height);
    const inside = grow(node.inside);
    return { nx: node.nx, ny: node.ny, c: node.c, inside, outside: grow(node.outside) };
  };
  return { tree: grow(outline), parcels, town };
}

type DistrictTree =
  | { cell: Cell }
  | { nx: number; ny: number; c: number; inside: DistrictTree; outside: DistrictTree };

/** Cuts until every cell is below the area; the first cut is the highway, later ones are lesser roads. */
function cutToDistricts(
  random: Random,
  cell: Cell,
  area: number,
  width: number,
  height: number,
  depth: number,
  out: Cell[],
): DistrictTree {
  if (cellArea(cell) < area * random.range(0.8, 1.5) || !touches(cell, width, height, 30)) {
    out.push(cell);
    return { cell };
  }
  const border: Border =
    depth === 0
      ? { kind: 'highway', halfWidth: random.range(4.5, 7) }
      : depth === 1 || random.chance(0.55)
        ? { kind: 'road', halfWidth: random.range(2.8, 4) }
        : { kind: 'track', halfWidth: random.range(1.3, 2) };
  const cut = cutAcross(random, cell, border, depth === 0 ? [0.42, 0.58] : [0.36, 0.64], 0.14);
  if (!cut) {
    out.push(cell);
    return { cell };
  }
  const inside = cutToDistricts(random, cut.inside, area, width, height, depth + 1, out);
  const outside = cutToDistricts(random, cut.outside, area, width, height, depth + 1, out);
  return { nx: cut.nx, ny: cut.ny, c: cut.c, inside, outside };
}

/** Deals uses to the districts in view: the town in the middle, halls beside it, forest far off, fields in what is left. */
function assignDistricts(
  random: Random,
  districts: Cell[],
  width: number,
  height: number,
  town: readonly [number, number],
  style: Style,
): District[] {
  const uses = new Array<District>(districts.length).fill('field');
  const inView = districts
    .map((cell, index) => ({ index, seen: seenArea(cell, width, height), centre: cellCentre(cell) }))
    .filter((district) => district.seen > 0);
  const total = inView.reduce((sum, district) => sum + district.seen, 0);
  const free = new Set(inView);
  const deal = (use: District, share: number, distance: (x: number, y: number) => number): void => {
    let wanted = share * total;
    const order = [...free].sort((a, b) => distance(...a.centre) - distance(...b.centre));
    for (const district of order) {
      if (wanted <= 0) break;
      // A sliver at the edge of the scene would use up the share without being seen.
      if (district.seen < total * 0.02) continue;
      if (wanted < district.seen * 0.4 && wanted < share * total) break;
      uses[district.index] = use;
      free.delete(district);
      wanted -= district.seen;
    }
  };
  const fromTown = (x: number, y: number): number => Math.hypot(x - town[0], y - town[1]);
  deal('residential', style.residential, fromTown);
  deal('industrial', style.industrial, fromTown);
  deal('forest', style.forest, (x, y) => -fromTown(x, y));
  deal('open', style.open, () => random.next());
  return uses;
}

/** Square metres of a cell within the scene. */
function seenArea(cell: Cell, width: number, height: number): number {
  const none: Border = { kind: 'none', halfWidth: 0 };
  let part: Cell | null = cell;
  for (const [nx, ny, c] of [
    [1, 0, width],
    [-1, 0, 0],
    [0, 1, height],
    [0, -1, 0],
  ] as const) {
    part = part && cutCell(part, nx, ny, c, none).inside;
  }
  return part ? cellArea(part) : 0;
}

function touches(cell: Cell, width: number, height: number, margin: number): boolean {
  const [x0, x1] = extent(cell, 1, 0);
  const [y0, y1] = extent(cell, 0, 1);
  return x1 > -margin && x0 < width + margin && y1 > -margin && y0 < height + margin;
}

/** Cuts a cell across its longest direction at a random place between the shares given; null where a part would vanish. */
function cutAcross(
  random: Random,
  cell: Cell,
  border: Border,
  shares: readonly [number, number],
  tilt: number,
  lengthwise = false,
): { nx: number; ny: number; c: number; inside: Cell; outside: Cell } | null {
  const axes = cellAxes(cell);
  const turn = random.range(-tilt, tilt);
  const swap = axes.across > axes.along !== lengthwise;
  const bx = swap ? -axes.uy : axes.ux;
  const by = swap ? axes.ux : axes.uy;
  const nx = bx * Math.cos(turn) - by * Math.sin(turn);
  const ny = bx * Math.sin(turn) + by * Math.cos(turn);
  const [low, high] = extent(cell, nx, ny);
  const c = low + (high - low) * random.range(shares[0], shares[1]);
  const { inside, outside } = cutCell(cell, nx, ny, c, border);
  return inside && outside ? { nx, ny, c, inside, outside } : null;
}

/** Cuts a district into parcels by its use. */
function furnish(
  random: Random,
  cell: Cell,
  use: District,
  style: Style,
  parcels: Parcel[],
  openParts: { count: number },
  width: number,
  height: number,
): Partition {
  const leaf = (part: Cell, parcelUse: Use): Partition => {
    parcels.push(parcelOf(random, part, parcelUse, style));
    return { cell: part, leaf: parcels.length - 1 };
  };
  const split = (
    part: Cell,
    area: number,
    border: () => Border,
    tilt: number,
    shares: readonly [number, number],
    done: (part: Cell) => Partition,
  ): Partition => {
    if (cellArea(part) < area * random.range(0.75, 1.4) || !touches(part, width, height, 25))
      return done(part);
    const cut = cutAcross(random, part, border(), shares, tilt);
    if (!cut) return done(part);
    const inside = split(cut.inside, area, border, tilt, shares, done);
    const outside = split(cut.outside, area, border, tilt, shares, done);
    return { nx: cut.nx, ny: cut.ny, c: cut.c, inside, outside };
  };
  const street = (): Border => ({ kind: 'street', halfWidth: random.range(2.4, 3.2) });
  const arid = style.climate === 'arid';

  switch (use) {
    case 'residential':
      return split(cell, 9_000, street, 0.06, [0.42, 0.58], (block) => {
        const roll = random.next();
        if (roll < 0.06) return leaf(block, 'park');
        if (roll < 0.2) return leaf(block, 'apartments');
        const lotArea = random.range(420, 850);
        const lots = (part: Cell): Partition =>
          split(
            part,
            lotArea,
            () => ({ kind: 'fence', halfWidth: 0.25 }),
            0.02,
            [0.45, 0.55],
            (lot) => leaf(lot, random.chance(0.05) ? 'park' : 'house'),
          );
        const axes = cellAxes(block);
        if (Math.min(axes.along, axes.across) < 36) return lots(block);
        // Back to back: every lot keeps a side on the street.
        const cut = cutAcross(random, block, { kind: 'fence', halfWidth: 0.25 }, [0.47, 0.53], 0.02, true);
        if (!cut) return lots(block);
        const inside = lots(cut.inside);
        return { nx: cut.nx, ny: cut.ny, c: cut.c, inside, outside: lots(cut.outside) };
      });
    case 'industrial':
      return split(
        cell,
        9_000,
        () => (random.chance(0.5) ? street() : { kind: 'fence', halfWidth: 0.4 }),
        0.05,
        [0.38, 0.62],
        (lot) => {
          if (style.variety && random.chance(0.22 * style.variety.overgrown)) return leaf(lot, 'thicket');
          return leaf(lot, random.chance(0.14) ? 'parking' : random.chance(0.1) ? 'bare' : 'yard');
        },
      );
    case 'forest':
      return split(
        cell,
        60_000,
        () => ({ kind: 'track', halfWidth: 1.4 }),
        0.2,
        [0.35, 0.65],
        (stand) => leaf(stand, 'forest'),
      );
    case 'open':
      return split(
        cell,
        18_000,
        () => ({ kind: random.chance(0.3) ? 'track' : 'none', halfWidth: 1.2 }),
        0.2,
        [0.3, 0.7],
        (part) => leaf(part, openUses[openParts.count++ % openUses.length]!),
      );
    case 'field':
      return split(
        cell,
        random.range(9_000, 24_000),
        () => {
          const roll = random.next();
          if (roll < 0.25) return { kind: 'track', halfWidth: random.range(1.1, 1.7) };
          if (roll < 0.4 && !arid) return { kind: 'hedge', halfWidth: 1.6 };
          return { kind: 'margin', halfWidth: random.range(0.4, 1.2) };
        },
        0.1,
        [0.3, 0.7],
        (part) => leaf(part, arid && random.chance(0.6) ? 'bare' : random.chance(0.14) ? 'meadow' : 'field'),
      );
  }
}

type Colour = readonly [number, number, number];

/** Crops of each season: kind, colour, and how strongly rows show. Means follow aerial photographs. */
const crops: Record<Style['season'], readonly { ground: number; colour: Colour; rows: number }[]> = {
  spring: [
    { ground: kind.greenCrop, colour: [0.33, 0.45, 0.25], rows: 0.5 },
    { ground: kind.greenCrop, colour: [0.27, 0.39, 0.22], rows: 0.7 },
    { ground: kind.greenCrop, colour: [0.66, 0.64, 0.27], rows: 0.25 },
    { ground: kind.ploughed, colour: [0.52, 0.44, 0.36], rows: 1 },
    { ground: kind.ploughed, colour: [0.58, 0.5, 0.42], rows: 0.8 },
  ],
  summer: [
    { ground: kind.greenCrop, colour: [0.29, 0.4, 0.2], rows: 0.55 },
    { ground: kind.greenCrop, colour: [0.38, 0.47, 0.27], rows: 0.7 },
    { ground: kind.ripeCrop, colour: [0.7, 0.62, 0.41], rows: 0.45 },
    { ground: kind.ripeCrop, colour: [0.76, 0.7, 0.52], rows: 0.6 },
    { ground: kind.ripeCrop, colour: [0.6, 0.56, 0.35], rows: 0.4 },
    { ground: kind.ploughed, colour: [0.55, 0.46, 0.37], rows: 0.9 },
  ],
  autumn: [
    { ground: kind.ploughed, colour: [0.46, 0.38, 0.31], rows: 1 },
    { ground: kind.ploughed, colour: [0.56, 0.49, 0.41], rows: 0.8 },
    { ground: kind.ripeCrop, colour: [0.68, 0.61, 0.45], rows: 0.8 },
    { ground: kind.greenCrop, colour: [0.36, 0.42, 0.24], rows: 0.8 },
  ],
  winter: [
    { ground: kind.ploughed, colour: [0.62, 0.54, 0.46], rows: 0.8 },
    { ground: kind.ploughed, colour: [0.53, 0.44, 0.38], rows: 1 },
    { ground: kind.greenCrop, colour: [0.37, 0.42, 0.28], rows: 0.8 },
    { ground: kind.ripeCrop, colour: [0.6, 0.55, 0.44], rows: 0.6 },
  ],
};

/** Crops of any season: dark maize and beet, bright young corn, pale stubble. */
const oddCrops: readonly { ground: number; colour: Colour; rows: number }[] = [
  { ground: kind.greenCrop, colour: [0.15, 0.27, 0.2], rows: 0.8 },
  { ground: kind.greenCrop, colour: [0.2, 0.32, 0.24], rows: 0.8 },
  { ground: kind.greenCrop, colour: [0.22, 0.33, 0.17], rows: 0.6 },
  { ground: kind.greenCrop, colour: [0.34, 0.52, 0.22], rows: 0.5 },
  { ground: kind.ripeCrop, colour: [0.66, 0.63, 0.54], rows: 0.8 },
  { ground: kind.ripeCrop, colour: [0.55, 0.53, 0.45], rows: 0.9 },
  { ground: kind.ploughed, colour: [0.34, 0.29, 0.25], rows: 0.9 },
  { ground: kind.ploughed, colour: [0.66, 0.55, 0.46], rows: 0.9 },
];

const oddMeadows: readonly Colour[] = [
  [0.27, 0.4, 0.2],
  [0.3, 0.38, 0.27],
  [0.38, 0.41, 0.31],
  [0.35, 0.46, 0.22],
  [0.52, 0.48, 0.36],
  [0.24, 0.33, 0.2],
];

const grass: Record<Style['season'], Colour> = {
  spring: [0.36, 0.44, 0.26],
  summer: [0.42, 0.47, 0.29],
  autumn: [0.46, 0.46, 0.3],
  winter: [0.47, 0.45, 0.32],
};

function parcelOf(random: Random, cell: Cell, use: Use, style: Style): Parcel {
  const { ux, uy } = cellAxes(cell);
  const rowTurn = random.chance(0.85) ? random.range(-0.04, 0.04) : Math.PI / 2;
  const rowX = -uy * Math.cos(rowTurn) - ux * Math.sin(rowTurn);
  const rowY = -uy * Math.sin(rowTurn) + ux * Math.cos(rowTurn);
  const parcel: Parcel = {
    cell,
    use,
    ground: kind.meadow,
    colour: vary(random, grass[style.season], 0.12),
    rowX,
    rowY,
    rowSpacing: 0,
    rowStrength: 0,
    tramlines: 0,
    coarse: 0.05,
    medium: 0.05,
    fine: 0.05,
    patches: 0,
  };
  const arid = style.climate === 'arid';
  const set = (changes: Partial<Parcel>): Parcel => Object.assign(parcel, changes);
  switch (use) {
    case 'field': {
      const usual = random.pick(crops[style.season]);
      const { variety } = style;
      const crop = variety && random.chance(variety.colours / 2) ? random.pick(oddCrops) : usual;
      return set({
        ground: crop.ground,
        colour: vary(random, crop.colour, 0.12),
        rowSpacing: random.range(1.2, 3.4),
        rowStrength: crop.rows * random.range(0.035, 0.075),
        tramlines: crop.ground === kind.ploughed ? 0 : random.pick([15, 18, 21, 24, 0]),
        coarse: random.range(0.03, 0.075),
        medium: random.range(0.015, 0.04),
        fine: 0.05,
        patches: random.chance(0.3) ? random.range(0.05, 0.25) : 0,
      });
    }
    case 'meadow':
      return set({
        ...(style.variety &&
          random.chance(style.variety.colours) && { colour: vary(random, random.pick(oddMeadows), 0.15) }),
        coarse: style.variety ? random.range(0.05, 0.11) : 0.06,
        medium: style.variety ? random.range(0.04, 0.12) : 0.05,
        fine: 0.07,
        rowSpacing: random.chance(0.4) ? random.range(3, 6) : 0,
        rowStrength: 0.02,
        patches: random.range(0, 0.12),
      });
    case 'park':
      return set({
        ground: kind.lawn,
        colour: vary(random, arid ? [0.3, 0.4, 0.22] : grass[style.season], 0.1),
        coarse: 0.06,
        medium: 0.045,
        fine: 0.05,
      });
    case 'forest':
      return set({
        ground: kind.forest,
        // Leafless trees let the litter through.
        colour: style.season === 'winter' ? [0.3, 0.26, 0.21] : [0.13, 0.17, 0.1],
        coarse: 0.1,
        medium: 0.2,
        fine: 0.2,
      });
    case 'thicket':
      return set({
        ground: kind.tree,
        colour: vary(random, style.season === 'winter' ? [0.44, 0.4, 0.34] : [0.26, 0.29, 0.18], 0.15),
        coarse: 0.1,
        medium: 0.16,
        fine: 0.14,
      });
    case 'bare': {
      const sand = arid || random.chance(0.4);
      const base: Colour = arid
        ? random.pick<Colour>([
            [0.8, 0.74, 0.66],
            [0.72, 0.68, 0.63],
            [0.78, 0.68, 0.54],
          ])
        : sand
          ? [0.74, 0.67, 0.54]
          : [0.6, 0.5, 0.4];
      return set({
        ground: sand ? kind.sand : kind.soil,
        colour: vary(random, base, 0.08),
        coarse: 0.055,
        medium: 0.045,
        fine: 0.05,
        rowSpacing: random.chance(0.35) ? random.range(4, 9) : 0,
        rowStrength: 0.012,
      });
    }
    case 'house':
      return arid
        ? set({
            ground: random.chance(0.75) ? kind.sand : kind.pavement,
            colour: vary(random, [0.72, 0.68, 0.61], 0.08),
          })
        : set({
            ground: kind.lawn,
            colour: vary(random, grass[style.season], 0.16),
            coarse: 0.08,
            medium: 0.12,
            fine: 0.08,
          });
    case 'apartments':
      return set({
        ground: arid ? kind.pavement : kind.lawn,
        colour: arid ? [0.6, 0.58, 0.55] : vary(random, grass[style.season], 0.1),
      });
    case 'yard':
    case 'parking':
      return set({
        ground: kind.pavement,
        colour: vary(
          random,
          random.pick<Colour>([
            [0.5, 0.5, 0.49],
            [0.6, 0.59, 0.56],
            [0.43, 0.43, 0.43],
            [0.66, 0.63, 0.57],
          ]),
          0.05,
        ),
        coarse: 0.05,
        medium: 0.03,
        fine: 0.025,
      });
  }
}

function vary(random: Random, colour: Colour, amount: number): Colour {
  const gain = 1 + random.range(-amount, amount);
  return [
    colour[0] * gain * (1 + random.range(-amount, amount) * 0.3),
    colour[1] * gain,
    colour[2] * gain * (1 + random.range(-amount, amount) * 0.3),
  ];
}
