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
