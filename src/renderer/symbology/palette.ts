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

/** `#rrggbb` as numbers 0-255. */
export function channelsOf(colour: string): [red: number, green: number, blue: number] {
  const value = Number.parseInt(colour.slice(1), 16);
  return [(value >> 16) & 255, (value >> 8) & 255, value & 255];
}
