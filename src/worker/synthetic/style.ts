import { Random } from './random.ts';

/** The look of a scene: land, season, light and camera. */
export interface Style {
  climate: 'temperate' | 'arid';
  season: 'spring' | 'summer' | 'autumn' | 'winter';
  /** Shares of the scene's districts; what is left becomes fields (temperate) or sand (arid). */
  residential: number;
  industrial: number;
  forest: number;
  /** Meadow, park, bare soil. */
  open: number;
  /** `both`: a river and a lake. */
  water: 'none' | 'river' | 'lake' | 'both' | 'coast';
  /** Degrees clockwise from north, where the light comes from. */
  sunAzimuth: number;
  /** Degrees above the horizon. */
  sunElevation: number;
  /** 0-0.3: share of air light. */
  haze: number;
  /** Factor on the distance from mid-grey. */
  contrast: number;
  saturation: number;
  /** Added to red and taken from blue, -0.06 … 0.06. */
  warmth: number;
  /** Factor on all values. */
  exposure: number;
  /** Standard deviation of the sensor's point spread, pixels. */
  blur: number;
  /** Standard deviation of the sensor's noise, 8-bit levels. */
  noise: number;
  /** What makes scenes harder to read than the demo's; left out, there is none of it. */
  variety?: Variety;
}

/** Looks that a model should not stumble over. Chances are 0-1. */
export interface Variety {
  /** Chance that a hall's or a block's roof is as dark as asphalt. */
  darkRoofs: number;
  /** Chance that solar panels cover a whole flat roof. */
  solarRoofs: number;
  /** Chance of an overgrown strip along the edge of a yard, and how much scrub grows there. */
  overgrown: number;
  /** Chance that crops, grass and lakes take colours far from the usual, such as dark crops and green lakes. */
  colours: number;
  /** Share of open country under ponds. */
  ponds: number;
  /** Heaps and containers per hectare of yard. */
  heaps: number;
}

/** Temperate early summer with every class in view. */
export const demoStyle: Style = {
  climate: 'temperate',
  season: 'summer',
  residential: 0.26,
  industrial: 0.1,
  forest: 0.14,
  open: 0.1,
  water: 'both',
  sunAzimuth: 158,
  sunElevation: 44,
  haze: 0.05,
  contrast: 1,
  saturation: 0.92,
  warmth: 0,
  exposure: 1.14,
  blur: 0.55,
  noise: 2.2,
};

/** Variety drawn by seed, some of everything. */
export function randomVariety(seed: number): Variety {
  const random = new Random(seed).fork('variety');
  return {
    darkRoofs: random.range(0.2, 0.8),
    solarRoofs: random.range(0.1, 0.6),
    overgrown: random.range(0.3, 1),
    colours: random.range(0.3, 0.9),
    ponds: random.chance(0.5) ? random.range(0.02, 0.14) : 0,
    heaps: random.chance(0.6) ? random.range(5, 60) : 0,
  };
}

/** A style drawn by seed from a wide range of lands, seasons and cameras. */
export function randomStyle(seed: number): Style {
  const random = new Random(seed).fork('style');
  const arid = random.chance(0.35);
  return {
    climate: arid ? 'arid' : 'temperate',
    season: random.pick(['spring', 'summer', 'autumn', 'winter']),
    residential: random.range(0.08, 0.5),
    industrial: random.range(0, 0.25),
    forest: arid ? random.range(0, 0.06) : random.range(0, 0.3),
    open: random.range(0.04, 0.22),
    water: random.pick(['none', 'river', 'lake', 'both', 'coast']),
    sunAzimuth: random.range(105, 255),
    sunElevation: random.range(28, 65),
    haze: random.range(0, 0.2) * random.next(),
    contrast: random.range(0.85, 1.3),
    saturation: random.range(0.35, 1.15),
    warmth: random.range(-0.04, 0.04),
    exposure: random.range(0.85, 1.3),
    blur: random.range(0.35, 0.95),
    noise: random.range(0.8, 5),
  };
}
