import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import type { BrowserWindow, Rectangle } from 'electron';
import * as z from 'zod';

const stored = z.object({
  x: z.int().optional(),
  y: z.int().optional(),
  width: z.int().min(400).max(20_000),
  height: z.int().min(300).max(20_000),
  maximised: z.boolean(),
});
export type WindowPlace = z.output<typeof stored>;

/** Where the window was, if that is still on a screen. */
export function readPlace(file: string, screens: readonly Rectangle[]): WindowPlace {
  try {
    const place = stored.parse(JSON.parse(readFileSync(file, 'utf8')));
    const { x = Number.NaN, y = Number.NaN, width, height, maximised } = place;
    const isSeen = (area: Rectangle) =>
      x < area.x + area.width - 50 && x + width > area.x + 50 && y >= area.y - 10 && y < area.y + area.height;
    return screens.some(isSeen) ? place : { width, height, maximised };
  } catch {
    return { width: 1440, height: 900, maximised: false };
  }
}

/** Remembers where the window is; a place that cannot be remembered is not worth a message. */
export function savePlace(file: string, window: BrowserWindow): void {
  try {
    const place: WindowPlace = { ...window.getNormalBounds(), maximised: window.isMaximized() };
    writeFileSync(`${file}.tmp`, JSON.stringify(place));
    renameSync(`${file}.tmp`, file);
  } catch {}
}
