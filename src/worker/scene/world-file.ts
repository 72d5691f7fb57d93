import { readFile, stat } from 'node:fs/promises';
import { basename, dirname, extname, join } from 'node:path';
import type { Affine } from '../raster/affine.ts';
import { type Crs, crsFromWkt } from '../raster/crs.ts';

const largestSidecar = 65_536;

async function sidecar(path: string, endings: readonly string[]): Promise<string | null> {
  const ending = extname(path);
  const base = join(dirname(path), basename(path, ending));
  const candidates = endings.flatMap((name) => [`${base}.${name}`, `${base}.${name.toUpperCase()}`]);
  for (const candidate of [...candidates, ...endings.map((name) => `${path}.${name}`)]) {
    try {
      const { size } = await stat(candidate);
      if (size <= largestSidecar) return await readFile(candidate, 'utf8');
    } catch {
      // Not there: the next name.
    }
  }
  return null;
}

/**
 * The transform in the world file beside an image (`.tfw`, `.pgw`, `.jgw`, … or `.wld`), or null. A world file gives the
 * centre of the upper left pixel in the order A D B E C F.
 */
export async function readWorldFile(path: string): Promise<Affine | null> {
  const ending = extname(path).slice(1).toLowerCase();
  const short = ending.length >= 3 ? `${ending[0]}${ending[ending.length - 1]}w` : `${ending}w`;
  const text = await sidecar(path, [short, `${ending}w`, 'wld']);
  if (text === null) return null;
  const values = text
    .trim()
    .split(/\s+/)
    .slice(0, 6)
    .map((word) => Number(word.replace(',', '.')));
  if (values.length < 6 || values.some((value) => !Number.isFinite(value))) return null;
  const [a, d, b, e, c, f] = values as [number, number, number, number, number, number];
  if (a * e - b * d === 0) return null;
  return [c - a / 2 - b / 2, a, b, f - d / 2 - e / 2, d, e];
}

/** The system in the `.prj` beside an image, or null. */
export async function readProjectionFile(path: string): Promise<Crs | null> {
  const text = await sidecar(path, ['prj']);
  return text === null ? null : crsFromWkt(text);
}
