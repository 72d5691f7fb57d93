import type { Canvas } from './canvas.ts';
import { kind } from './classes.ts';
import { fractalNoise, whiteNoise } from './noise.ts';
import { isRoad } from './partition.ts';
import type { Random } from './random.ts';
import type { Style } from './style.ts';
import type { Place, Terrain } from './terrain.ts';
import { farFromWater, type Waters } from './water.ts';

/** Combed soil: brightness across the rows of a field, 8 samples a metre, repeated after 64 m. */
const combSamples = 512;
const combPerMetre = 8;

/** Lakes and rivers full of algae, peat, mud or sky. */
const oddWaters: readonly (readonly [number, number, number])[] = [
  [0.05, 0.06, 0.09],
  [0.09, 0.09, 0.11],
  [0.2, 0.19, 0.19],
  [0.17, 0.27, 0.15],
  [0.26, 0.36, 0.22],
  [0.34, 0.44, 0.29],
  [0.36, 0.31, 0.22],
  [0.42, 0.46, 0.46],
  [0.2, 0.36, 0.5],
];

/** Paints land, water and roads: everything without height except bridges. */
export function paintGround(
  random: Random,
  canvas: Canvas,
  terrain: Terrain,
  waters: Waters,
  style: Style,
): void {
  const { width, height, resolution, red, green, blue, kinds, elevation } = canvas;
  const coarse = fractalNoise(random, width, height, 46 / resolution, 3, 0.55);
  const medium = fractalNoise(random, width, height, 6 / resolution, 3, 0.6);
  const fine = fractalNoise(random, width, height, Math.max(1.2, 1.1 / resolution), 1);
  const grain = whiteNoise(random, width * height);
  const comb = new Float32Array(combSamples);
  for (let i = 0; i < combSamples; i++) comb[i] = random.range(-1, 1);

  const arid = style.climate === 'arid';
  const usualAsphalt = random.range(0.3, 0.5);
  const usualHighway = random.range(0.28, 0.42);
  const trackColour = arid ? [0.72, 0.66, 0.58] : [0.62, 0.57, 0.49];
  const vergeColour = arid
    ? [0.7, 0.65, 0.56]
    : style.season === 'winter'
      ? [0.44, 0.43, 0.31]
      : [0.39, 0.44, 0.26];
  const bankColour = arid ? [0.62, 0.57, 0.47] : [0.33, 0.39, 0.22];
  // Rows finer than two pixels would only alias.
  const combVisible = Math.min(1, 0.5 / resolution);
  const { variety } = style;
  // Drawn apart, so that scenes without variety stay the same.
  const odd = random.fork('variety');
  // Old asphalt fades until it is as light as concrete, and kerbs are not always lighter.
  const asphalt = variety ? odd.range(0.3, 0.62) : usualAsphalt;
  const highwayAsphalt = variety ? odd.range(0.3, 0.58) : usualHighway;
  const pavement = variety ? odd.range(0.42, 0.66) : 0.6;
  const strips =
    variety &&
    Float32Array.from(terrain.parcels, ({ use }) =>
      (use === 'yard' || use === 'parking') && odd.chance(variety.overgrown) ? odd.range(2, 9) : 0,
    );
  const litter = style.season === 'winter' ? [0.38, 0.33, 0.26] : vergeColour;
  const usualRiver = random.pick([
    [0.2, 0.28, 0.28],
    [0.25, 0.3, 0.26],
    [0.16, 0.25, 0.29],
  ]);
  const usualLake = random.pick(
    arid
      ? [
          [0.08, 0.14, 0.12],
          [0.13, 0.27, 0.3],
        ]
      : [
          [0.1, 0.17, 0.19],
          [0.14, 0.23, 0.23],
          [0.12, 0.18, 0.24],
        ],
  );
  const riverColour = variety && odd.chance(variety.colours) ? odd.pick(oddWaters) : usualRiver;
  const lakeColour = variety && odd.chance(variety.colours) ? odd.pick(oddWaters) : usualLake;
  const drift = variety ? odd.range(0, 0.14) : 0;
  const place: Place = { parcel: 0, first: 0, second: 0, firstEdge: 0, secondEdge: 0, along: 0 };

  for (let row = 0; row < height; row++) {
    const y = (row + 0.5) * resolution;
    for (let column = 0; column < width; column++) {
      const i = row * width + column;
      const [px, py] = terrain.toPlan((column + 0.5) * resolution, y);
      terrain.locate(px, py, place);
      const border = terrain.borders[place.firstEdge]!;
      const other = terrain.borders[place.secondEdge]!;
      const n0 = coarse[i]!;
      const n1 = medium[i]!;
      const n2 = fine[i]! * 0.7 + grain[i]! * 0.5;

      const river = waters.river[i]!;
      const lake = waters.lake[i]!;
      const water = Math.min(river, lake);
      const bridge = water < 4 && (border.kind === 'highway' || border.kind === 'road');
      const ragged = border.kind === 'track' || border.kind === 'margin' ? n1 * 0.35 + n2 * 0.15 : 0;
      const onRoad =
        isRoad(border) &&
        (place.first < border.halfWidth + ragged ||
          (isRoad(other) && rounded(place.first - border.halfWidth, place.second - other.halfWidth, 5)));

      let r: number;
      let g: number;
      let b: number;
      let what: number;
      if (onRoad && (water > 0 || bridge)) {
        const edge = place.first;
        if (border.kind === 'track') {
          what = kind.track;
          // Two wheel tracks with a greener strip between them.
          const wheel = Math.abs(Math.abs(edge) - 0.75) < 0.4 ? 0.03 : -0.04;
          const tone = 1 + 0.05 * n0 + 0.05 * n1 + 0.05 * n2 + wheel;
          r = trackColour[0]! * tone;
          g = trackColour[1]! * (tone - wheel * 0.5);
          b = trackColour[2]! * tone;
        } else {
          what = kind.asphalt;
          const base = (border.kind === 'highway' ? highwayAsphalt : asphalt) * (1 + 0.06 * n0 + 0.025 * n1);
          const lane = border.halfWidth / 2;
          const wear = 0.018 * Math.cos(((edge - lane) / lane) * Math.PI);
          const tone = base + wear + 0.018 * n2;
          r = tone;
          g = tone;
          b = tone * 1.015;
          const clear = !isRoad(other) || place.second > other.halfWidth + 3;
          if (clear && border.kind !== 'street') {
            // Paint thinner than a pixel shows in proportion.
            const dashes = border.kind === 'highway' || Math.cos((place.along * 2 * Math.PI) / 9) > 0;
            const middle = dashes ? coverage(edge, 0.09, resolution) : 0;
            const side = coverage(edge - (border.halfWidth - 0.35), 0.09, resolution);
            const paint = Math.max(middle, side) * 0.75;
            r += (0.86 - r) * paint;
            g += (0.86 - g) * paint;
            b += (0.84 - b) * paint;
          }
          // Ramps on both shores: a step would cast a shadow across the road.
          if (water < 10) elevation[i] = Math.min(3.5, 0.35 * (10 - water));
        }
      } else if (water < 0) {
        what = river >= lake ? kind.lake : style.water === 'coast' ? kind.sea : kind.river;
        // Where a river enters a lake, one colour passes into the other.
        const lakeShare = what === kind.sea ? 1 : Math.min(1, Math.max(0, (river - lake) / 12 + 0.5));
        // Bottom shows through near the shore.
        const shallow = Math.exp(water / (2.2 + 2.8 * lakeShare)) * 0.55;
        const tone = 1 + (0.07 + drift) * n0 + 0.03 * n1 + 0.035 * grain[i]!;
        r =
          (riverColour[0]! + (lakeColour[0]! - riverColour[0]!) * lakeShare) * tone * (1 - shallow) +
          bankColour[0]! * shallow * 0.75;
        g =
          (riverColour[1]! + (lakeColour[1]! - riverColour[1]!) * lakeShare) * tone * (1 - shallow) +
          bankColour[1]! * shallow * 0.8;
        b =
          (riverColour[2]! + (lakeColour[2]! - riverColour[2]!) * lakeShare) * tone * (1 - shallow) +
          bankColour[2]! * shallow * 0.75;
      } else if (water < 3.5 + 1.5 * n1 && water < farFromWater / 2) {
        what = arid ? kind.sand : kind.meadow;
        const tone = 1 + 0.08 * n1 + 0.1 * n2 - 0.2 * Math.exp(-water / 0.8);
        r = bankColour[0]! * tone;
        g = bankColour[1]! * tone;
        b = bankColour[2]! * tone;
      } else {
        const parcel = terrain.parcels[place.parcel]!;
        const settled =
          parcel.use === 'house' ||
          parcel.use === 'apartments' ||
          parcel.use === 'yard' ||
          parcel.use === 'parking';
        const beside = place.first - border.halfWidth;
        if (isRoad(border) && beside < (settled ? 1.8 : 1.6 + n1 * 0.5) && border.kind !== 'track') {
          if (settled) {
            what = kind.pavement;
            const kerb = beside < 0.35 ? 0.1 : 0;
            const tone = (pavement + kerb) * (1 + 0.04 * n0 + 0.03 * n2);
            r = tone * 1.01;
            g = tone;
            b = tone * 0.97;
          } else {
            what = arid ? kind.sand : kind.meadow;
            const tone = 1 + 0.07 * n0 + 0.07 * n1 + 0.08 * n2;
            r = vergeColour[0]! * tone;
            g = vergeColour[1]! * tone;
            b = vergeColour[2]! * tone;
          }
        } else if (
          (border.kind === 'margin' || border.kind === 'hedge') &&
          place.first < border.halfWidth + ragged
        ) {
          what = arid ? kind.sand : kind.meadow;
          const tone = 1 + 0.08 * n0 + 0.12 * n1 + 0.08 * n2;
          r = vergeColour[0]! * tone;
          g = vergeColour[1]! * tone;
          b = vergeColour[2]! * tone;
        } else if (strips && beside < strips[place.parcel]! + 0.8 * n1) {
          what = kind.meadow;
          const tone = 1 + 0.1 * n0 + 0.14 * n1 + 0.08 * n2;
          r = litter[0]! * tone;
          g = litter[1]! * tone;
          b = litter[2]! * tone;
        } else if (border.kind === 'fence' && place.first < 0.3) {
          what = parcel.ground;
          const tone = settled ? 0.62 : 0.8;
          r = parcel.colour[0] * tone;
          g = parcel.colour[1] * tone;
          b = parcel.colour[2] * tone;
        } else {
          what = parcel.ground;
          let tone = 1 + parcel.coarse * n0 + parcel.medium * n1 + parcel.fine * n2;
          let dry = 0;
          if (parcel.rowSpacing > 0) {
            // Headland: the last passes of the machine run along the edge.
            const across =
              place.first < 9 && parcel.use === 'field' ? place.first : parcel.rowX * px + parcel.rowY * py;
            const wobble = across + 0.12 * n0;
            const sample = (wobble * combPerMetre) / Math.max(1, resolution / 0.25);
            const index = Math.floor(sample);
            const part = sample - index;
            const a = comb[((index % combSamples) + combSamples) % combSamples]!;
            const z = comb[(((index + 1) % combSamples) + combSamples) % combSamples]!;
            const wave = Math.cos((2 * Math.PI * wobble) / parcel.rowSpacing);
            const visible = parcel.rowSpacing > 2 * resolution ? 1 : 0;
            tone += parcel.rowStrength * (0.7 * wave * visible + 0.8 * (a + (z - a) * part) * combVisible);
            if (parcel.tramlines > 0 && place.first > 9) {
              const lane = wobble - parcel.tramlines * Math.round(wobble / parcel.tramlines);
              const wheel = coverage(Math.abs(lane) - 0.95, 0.28, resolution);
              tone -= 0.17 * wheel;
              dry = 0.25 * wheel;
            }
          }
          r = parcel.colour[0] * tone;
          g = parcel.colour[1] * tone;
          b = parcel.colour[2] * tone;
          if (parcel.patches > 0) {
            const bare = Math.min(1, Math.max(0, (n0 * 0.7 + n1 * 0.5 - 1.6 + parcel.patches * 3) * 1.5));
            dry = Math.max(dry, bare * 0.5);
          }
          if (what === kind.lawn || what === kind.meadow) {
            // Grass is never one green: tone and hue drift together.
            dry = Math.max(dry, Math.min(0.5, Math.max(0, 0.18 + 0.2 * n1 + 0.16 * n0)));
          }
          if (dry > 0) {
            r += (0.58 * tone - r) * dry;
            g += (0.52 * tone - g) * dry;
            b += (0.4 * tone - b) * dry;
          }
        }
      }
      red[i] = r;
      green[i] = g;
      blue[i] = b;
      kinds[i] = what;
    }
  }
}

/** Inside the rounded corner where two roads meet: `a` and `b` are metres beyond either road, `radius` that of the kerb. */
function rounded(a: number, b: number, radius: number): boolean {
  if (a > radius || b > radius) return false;
  const da = radius - a;
  const db = radius - b;
  return da * da + db * db > radius * radius;
}

/** Share of a pixel that a line of the given half width covers, its middle `distance` metres from the pixel's centre. */
function coverage(distance: number, halfWidth: number, resolution: number): number {
  const half = resolution / 2;
  const low = Math.max(distance - half, -halfWidth);
  const high = Math.min(distance + half, halfWidth);
  return high > low ? (high - low) / resolution : 0;
}
