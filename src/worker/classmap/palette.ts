/** Okabe & Ito (2008) without black: safe for the common colour-vision deficiencies. */
const okabeIto = ['#e69f00', '#56b4e9', '#009e73', '#f0e442', '#0072b2', '#d55e00', '#cc79a7'];

/** Paul Tol's muted scheme (SRON/EPS/TN/09-002). */
const tolMuted = [
  '#332288',
  '#88ccee',
  '#44aa99',
  '#117733',
  '#999933',
  '#ddcc77',
  '#cc6677',
  '#882255',
  '#aa4499',
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

/**
 * `count` different colours as `#rrggbb`, always the same for the same place: Okabe-Ito, then Tol's muted scheme, then
 * hues a golden angle apart in changing lightness.
 */
export function defaultColours(count: number): string[] {
  const colours = [...okabeIto, ...tolMuted].slice(0, count);
  const used = new Set(colours);
  for (let index = 0; colours.length < count; index++) {
    const lightness = 0.3 + 0.4 * ((index * 0.381966) % 1);
    const colour = fromHue((index * 0.618034) % 1, lightness, 0.4 + 0.5 * ((index * 0.7548777) % 1));
    if (used.has(colour)) continue;
    used.add(colour);
    colours.push(colour);
  }
  return colours;
}

/** Red, green and blue, 0-255, of `#rrggbb`. */
export function colourChannels(colour: string): [number, number, number] {
  const value = Number.parseInt(colour.slice(1), 16);
  return [(value >> 16) & 255, (value >> 8) & 255, value & 255];
}
