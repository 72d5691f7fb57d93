import { Problem } from '../report/problem.ts';
import type { SceneHeader } from '../scene/scene.ts';

/** Values shown as black and as full brightness. */
export interface Range {
  low: number;
  high: number;
}

/** Three bands as red, green and blue; the same band three times is grey. */
export interface ImageryStyle {
  kind: 'imagery';
  /** 0-based. */
  bands: readonly [number, number, number];
  stretch: readonly [Range, Range, Range];
  /** Brightness is raised to 1 / gamma: above 1 lifts the shadows. */
  gamma: number;
}

/** The values of one band as colours; values without one are transparent. */
export interface ClassStyle {
  kind: 'classes';
  /** 0-based. */
  band: number;
  /** `#rrggbb`, and opacity 0-1 (default 1). */
  colours: readonly { value: number; colour: string; opacity?: number }[];
}

/** How a raster is drawn; plain JSON. */
export type TileStyle = ImageryStyle | ClassStyle;

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
  return style.kind === 'classes' ? [style.band] : [...new Set(style.bands)];
}

/** Throws `tiles/bad-style` for a style that does not fit the raster. */
export function checkStyle(style: TileStyle, header: SceneHeader): void {
  const count = header.bands.length;
  for (const band of bandsOfStyle(style)) {
    if (!Number.isInteger(band) || band < 0 || band >= count) {
      throw bad(`${header.path} has no band ${band + 1}`, `It has ${count} bands, numbered from 1.`);
    }
  }
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
