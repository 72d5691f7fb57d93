import * as z from 'zod';
import { Problem } from '../report/problem.ts';
import type { SceneHeader } from '../scene/scene.ts';

/** Values shown as black and as full brightness. */
const range = z.object({ low: z.number(), high: z.number() });
export type Range = z.infer<typeof range>;

/** 0-based. */
const band = z.int().min(0);
const three = <Item extends z.ZodType>(item: Item) => z.tuple([item, item, item]);
/** Brightness is raised to 1 / gamma: above 1 lifts the shadows. */
const gamma = z.number().positive();

/** Three bands as red, green and blue; the same band three times is grey. */
const imageryStyle = z.object({
  kind: z.literal('imagery'),
  bands: three(band),
  stretch: three(range),
  gamma,
});
export type ImageryStyle = z.infer<typeof imageryStyle>;

/**
 * Backscatter as red, green and blue: each the power of a band, or the quotient of two, in decibels or linear. The
 * stretch is in that scale. At most three bands in all.
 */
const radarStyle = z.object({
  kind: z.literal('radar'),
  /** What the samples are: magnitudes, their squares, or 10·log10 of those. */
  quantity: z.enum(['amplitude', 'power', 'decibel']),
  channels: three(z.object({ band, by: band.nullable() })),
  scale: z.enum(['linear', 'decibel']),
  stretch: three(range),
  gamma,
});
export type RadarStyle = z.infer<typeof radarStyle>;

/** The values of one band as colours; values without one are transparent. */
const classStyle = z.object({
  kind: z.literal('classes'),
  band,
  /** `#rrggbb`, and opacity 0-1 (default 1). */
  colours: z
    .array(
      z.object({
        value: z.number(),
        colour: z.string().regex(/^#[0-9a-f]{6}$/i),
        opacity: z.number().min(0).max(1).optional(),
      }),
    )
    .max(65_536),
});
export type ClassStyle = z.infer<typeof classStyle>;

/** How a raster is drawn; plain JSON. */
export const tileStyle = z.discriminatedUnion('kind', [imageryStyle, radarStyle, classStyle]);
export type TileStyle = z.infer<typeof tileStyle>;

/** The style a palette raster brings along: every index in its own colour. */
export function paletteStyle(palette: readonly Uint8Array[]): ClassStyle {
  const [reds, greens, blues] = palette as [Uint8Array, Uint8Array, Uint8Array];
  const hex = (channel: number): string => channel.toString(16).padStart(2, '0');
  const colours = Array.from(reds, (red, value) => ({
    value,
    colour: `#${hex(red)}${hex(greens[value]!)}${hex(blues[value]!)}`,
  }));
  return { kind: 'classes', band: 0, colours };
}

/** Bands that a style reads, each once. */
export function bandsOfStyle(style: TileStyle): number[] {
  if (style.kind === 'classes') return [style.band];
  if (style.kind === 'imagery') return [...new Set(style.bands)];
  return [...new Set(style.channels.flatMap(({ band, by }) => (by === null ? [band] : [band, by])))];
}

/** Throws `tiles/bad-style` for a style that does not fit the raster. */
export function checkStyle(style: TileStyle, header: SceneHeader): void {
  const count = header.bands.length;
  const bands = bandsOfStyle(style);
  for (const band of bands) {
    if (!Number.isInteger(band) || band < 0 || band >= count) {
      throw bad(`${header.path} has no band ${band + 1}`, `It has ${count} bands, numbered from 1.`);
    }
  }
  if (bands.length > 3) throw bad(`it mixes ${bands.length} bands`, 'Choose at most three.');
  if (style.kind === 'classes') {
    for (const { colour } of style.colours) {
      if (!/^#[0-9a-f]{6}$/i.test(colour)) throw bad(`${colour} is no colour`, 'Write colours as #rrggbb.');
    }
    return;
  }
  if (!(style.gamma > 0) || !Number.isFinite(style.gamma)) {
    throw bad(`gamma is ${style.gamma}`, 'Choose a gamma above 0, for example 1.');
  }
  for (const { low, high } of style.stretch) {
    if (!Number.isFinite(low) || !Number.isFinite(high) || low === high) {
      throw bad(`the stretch is from ${low} to ${high}`, 'Choose two different numbers.');
    }
  }
}

function bad(what: string, hint: string): Problem {
  return new Problem('tiles/bad-style', `The style cannot be drawn: ${what}.`, hint);
}
