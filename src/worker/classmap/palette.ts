/**
 * What maps paint these in, so that nobody has to look at the legend for them. Told apart by any colour vision, as far as so
 * many colours can be.
 */
const familiar: readonly (readonly [colour: string, words: string])[] = [
  ['#d55e00', 'building roof house hall warehouse apartment hut shed'],
  ['#404040', 'road street highway motorway lane track path asphalt'],
  ['#0072b2', 'water river lake sea ocean pond pool stream canal reservoir flood'],
  ['#00734f', 'tree forest wood woodland orchard'],
  ['#8fce4a', 'grass meadow lawn pasture grassland rangeland'],
  ['#f0e442', 'cropland crop field farmland farm agriculture agricultural'],
  ['#c49a6c', 'soil bare barren sand desert beach bareland earth'],
  ['#cc79a7', 'pavement parking yard square plaza'],
  ['#999933', 'shrub bush hedge scrub shrubland'],
  ['#4daf4a', 'vegetation'],
  ['#44aa99', 'wetland marsh swamp bog mangrove'],
  ['#88ccee', 'snow ice glacier'],
  ['#aa3377', 'car vehicle truck ship boat plane airplane'],
  ['#882255', 'railway rail train'],
  ['#bbbbbb', 'background other clutter rest'],
];

const familiarColours = new Map(
  familiar.flatMap(([colour, words]) => words.split(' ').map((word) => [word, colour])),
);

/** Okabe and Ito (2008) and Paul Tol (SRON/EPS/TN/09-002), without those that stand for something. */
const others = [
  '#e69f00',
  '#56b4e9',
  '#009e73',
  '#332288',
  '#aa4499',
  '#ddcc77',
  '#cc6677',
  '#117733',
  '#66ccee',
  '#ccbb44',
  '#228833',
];

function hex(red: number, green: number, blue: number): string {
  const value = (Math.round(red) << 16) | (Math.round(green) << 8) | Math.round(blue);
  return `#${value.toString(16).padStart(6, '0')}`;
}

/** Hue in turns, lightness and saturation 0-1, to `#rrggbb`. */
function fromHue(hue: number, lightness: number, saturation: number): string {
  const reach = saturation * Math.min(lightness, 1 - lightness);
  const channel = (shift: number): number => {
    const sector = (shift + hue * 12) % 12;
    return 255 * (lightness - reach * Math.max(-1, Math.min(sector - 3, 9 - sector, 1)));
  };
  return hex(channel(0), channel(8), channel(4));
}

/** The colour that a class of these words is familiar in, or null. The last word of a phrase says what it is. */
function familiarColour(words: readonly string[]): string | null {
  for (const phrase of words)
    for (const part of phrase
      .toLowerCase()
      .split(/[^a-z]+/)
      .reverse()) {
      const colour = familiarColours.get(part) ?? familiarColours.get(part.replace(/s$/, ''));
      if (colour !== undefined) return colour;
    }
  return null;
}

/** Hues a golden angle apart in changing lightness, without end. */
function* hues(): Generator<string, never> {
  for (let index = 0; ; index++) {
    const lightness = 0.3 + 0.4 * ((index * 0.381966) % 1);
    yield fromHue((index * 0.618034) % 1, lightness, 0.4 + 0.5 * ((index * 0.7548777) % 1));
  }
}

function choose(
  taken: ReadonlySet<string>,
  words: readonly string[],
  rest: Generator<string, never>,
): string {
  const own = familiarColour(words);
  if (own !== null && !taken.has(own)) return own;
  const free = others.find((colour) => !taken.has(colour));
  if (free !== undefined) return free;
  for (;;) {
    const { value } = rest.next();
    if (!taken.has(value)) return value;
  }
}

/**
 * Colour of a class beside classes that have the `used` ones, as `#rrggbb`: the one that maps usually paint it in (water
 * blue), else the first that stands for nothing.
 */
export function nextColour(used: readonly string[], words: readonly string[]): string {
  return choose(new Set(used.map((colour) => colour.toLowerCase())), words, hues());
}

/** Colours of classes in order, all different: `nextColour` of each; always the same for the same words. */
export function classColours(classes: readonly (readonly string[])[]): string[] {
  const taken = new Set<string>();
  const rest = hues();
  for (const words of classes) taken.add(choose(taken, words, rest));
  return [...taken];
}

/** Red, green and blue, 0-255, of `#rrggbb`. */
export function colourChannels(colour: string): [number, number, number] {
  const value = Number.parseInt(colour.slice(1), 16);
  return [(value >> 16) & 255, (value >> 8) & 255, value & 255];
}
