import { existsSync, mkdirSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import type { Locator } from 'playwright-core';
import sharp from 'sharp';
import { expect } from 'vitest';

const folder = path.resolve(import.meta.dirname, 'expected');
/** Set to write what is seen as what is expected; look at it before committing it. */
const renew = process.env.LANDSCRIBE_EXPECTED === 'renew';
/** Pixels that are one in the comparison: fonts and their edges are not the same everywhere. */
const block = 4;
/** Pixels of the screen along one of the pictures that are kept. */
const kept = 2;

/** How long what is seen may take to become what is expected, milliseconds. */
const patience = 90_000;

/**
 * Waits until what is seen is the expected picture of that name, by means over 4 × 4 pixels: they differ by less than
 * `mean` grey levels on average, and hardly anywhere by more than 40.
 */
export async function expectPicture(seen: Locator, name: string, mean = 2): Promise<void> {
  const file = path.join(folder, `${name}.png`);
  if (renew) {
    mkdirSync(folder, { recursive: true });
    const whole = sharp(await atRest(seen)).removeAlpha();
    const { width, height } = await whole.metadata();
    await whole
      .resize(Math.ceil(width / kept), Math.ceil(height / kept), { fit: 'fill' })
      .png({ palette: true, quality: 90, effort: 10, compressionLevel: 9 })
      .toFile(file);
    return;
  }
  if (!existsSync(file)) expect.fail(`There is no picture ${name}: LANDSCRIBE_EXPECTED=renew writes it.`);
  const expected = await readFile(file);
  const deadline = Date.now() + patience;
  for (;;) {
    const { size, average, far } = await difference(await shot(seen), expected);
    if (size && average < mean && far < 0.01) return;
    if (Date.now() > deadline) {
      expect(size, `${name}: has the size of what is expected`).toBe(true);
      expect(average, `${name}: mean difference in grey levels`).toBeLessThan(mean);
      expect(far, `${name}: share that differs by more than 40`).toBeLessThan(0.01);
    }
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
}

const shot = (seen: Locator) => seen.screenshot({ animations: 'disabled' });

/** What is seen once it has not changed for ten seconds. */
async function atRest(seen: Locator): Promise<Buffer> {
  let picture = await shot(seen);
  for (let since = Date.now(); Date.now() - since < 10_000; ) {
    await new Promise((resolve) => setTimeout(resolve, 300));
    const next = await shot(seen);
    if (!next.equals(picture)) since = Date.now();
    picture = next;
  }
  return picture;
}

/** `one` is what is seen, `other` what was kept. */
async function difference(
  one: Buffer,
  other: Buffer,
): Promise<{ size: boolean; average: number; far: number }> {
  const pictures = [sharp(one).removeAlpha(), sharp(other).removeAlpha()];
  const [a, b] = await Promise.all(pictures.map((picture) => picture.metadata()));
  if (Math.ceil(a!.width / kept) !== b!.width || Math.ceil(a!.height / kept) !== b!.height)
    return { size: false, average: 255, far: 1 };
  const [width, height] = [Math.ceil(a!.width / block), Math.ceil(a!.height / block)];
  const [from, to] = await Promise.all(
    pictures.map((picture) =>
      picture.toColourspace('srgb').resize(width, height, { fit: 'fill', kernel: 'linear' }).raw().toBuffer(),
    ),
  );
  let sum = 0;
  let far = 0;
  for (let i = 0; i < from!.length; i++) {
    const apart = Math.abs(from![i]! - to![i]!);
    sum += apart;
    if (apart > 40) far++;
  }
  return { size: true, average: sum / from!.length, far: far / from!.length };
}
