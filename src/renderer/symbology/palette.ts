/**
 * Colours that people with any colour vision tell apart: Okabe and Ito's (2008), then Paul Tol's bright and muted ones
 * (SRON technical note 2021), without what stands in the first.
 */
export const classColours = [
  '#e69f00',
  '#56b4e9',
  '#009e73',
  '#f0e442',
  '#0072b2',
  '#d55e00',
  '#cc79a7',
  '#66ccee',
  '#228833',
  '#ccbb44',
  '#aa3377',
  '#332288',
  '#ddcc77',
  '#117733',
  '#88ccee',
  '#882255',
  '#44aa99',
  '#999933',
] as const;

/** The first colour that no class has yet, or the one that is longest unused. */
export function nextColour(used: readonly string[]): string {
  const taken = new Set(used.map((colour) => colour.toLowerCase()));
  return (
    classColours.find((colour) => !taken.has(colour)) ?? classColours[used.length % classColours.length]!
  );
}

/** From little to much similarity: even steps of lightness, dark to light, so that it reads without colour as well. */
export const heatColours = ['#0b0724', '#3b0f70', '#8c2981', '#de4968', '#fe9f6d', '#fcfdbf'] as const;

/** Colours of the numbers 1 to 255 along the heat map's ramp. */
export function heatTable(): ReadonlyMap<number, string> {
  const stops = heatColours.map(channelsOf);
  return new Map(
    Array.from({ length: 255 }, (_, i) => {
      const place = (i / 254) * (stops.length - 1);
      const before = Math.min(stops.length - 2, Math.floor(place));
      const share = place - before;
      const channels = stops[before]!.map((value, c) => value + (stops[before + 1]![c]! - value) * share);
      return [i + 1, `#${channels.map((value) => Math.round(value).toString(16).padStart(2, '0')).join('')}`];
    }),
  );
}

/** `#rrggbb` as numbers 0-255. */
export function channelsOf(colour: string): [red: number, green: number, blue: number] {
  const value = Number.parseInt(colour.slice(1), 16);
  return [(value >> 16) & 255, (value >> 8) & 255, value & 255];
}
