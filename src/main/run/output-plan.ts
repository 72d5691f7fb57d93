import { lstat, mkdir, rm, rmdir, stat, statfs } from 'node:fs/promises';
import path from 'node:path';
import { Problem } from '../../worker/report/problem.ts';
import { asProblem } from '../../worker/report/problem-record.ts';
import { filesOfScene } from '../../worker/scene/band-stack.ts';
import { claim } from '../engine/claim.ts';
import { layerPath } from '../export/layer-writers.ts';
import { removeLeftovers } from '../export/staged-file.ts';
import { type Format, formats } from './formats.ts';

const endings: Record<Format, readonly string[]> = {
  gpkg: ['.gpkg'],
  geojson: ['.geojson', '.json'],
  shp: ['.shp'],
  tif: ['.tif', '.tiff'],
};

/** Where a run writes. Absolute paths. */
export interface OutputPlan {
  formats: Format[];
  /** Path and name to which each format adds its ending. */
  base: string;
  /** Main file of each format asked for. */
  files: Partial<Record<Format, string>>;
  /** Confidence raster, when `tif` is asked for. */
  confidence: string | null;
  /** Every file the run may create, sidecars included. */
  all: string[];
  /** Folder of the resumable class map, beside the outputs; gone when the run is complete. */
  partial: string;
}

/**
 * The outputs that `out` and the formats stand for: a base name to which each format adds its ending, or a file name
 * when its ending says so. Without formats, the ending decides; without an ending, GeoPackage and class map.
 */
export function planOutputs(out: string, asked: readonly Format[] | null): OutputPlan {
  const absolute = path.resolve(out);
  const name = path.basename(absolute);
  if (out.endsWith('/') || out.endsWith(path.sep) || name === '') {
    throw new Problem('output/no-name', `${out}: the output needs a file name.`, 'Give --out FOLDER/NAME.');
  }
  const ending = path.extname(name).toLowerCase();
  const byEnding = formats.find((format) => endings[format].includes(ending)) ?? null;
  const chosen =
    asked === null || asked.length === 0 ? (byEnding ? [byEnding] : (['gpkg', 'tif'] as const)) : asked;
  const list = formats.filter((format) => chosen.includes(format));
  if (byEnding && !list.includes(byEnding)) {
    throw new Problem(
      'output/wrong-ending',
      `${out} ends like ${byEnding}, but the format asked for is ${list.join(', ')}.`,
      'Change --out or --format.',
    );
  }
  const base = byEnding ? absolute.slice(0, -ending.length) : absolute;
  const files: OutputPlan['files'] = {};
  for (const format of list) files[format] = layerPath(absolute, format);
  const confidence = files.tif ? `${base}.confidence${path.extname(files.tif)}` : null;
  const all: string[] = [];
  if (files.gpkg) all.push(files.gpkg);
  if (files.geojson) all.push(files.geojson, `${base}.qml`);
  if (files.shp) {
    for (const part of ['shp', 'shx', 'dbf', 'prj', 'cpg', 'qml', 'provenance.json'])
      all.push(`${base}.${part}`);
  }
  if (files.tif) all.push(files.tif, `${files.tif}.aux.xml`, confidence!, `${confidence}.aux.xml`);
  return {
    formats: list,
    base,
    files,
    confidence,
    all: [...new Set(all)],
    partial: `${base}.landscribe-partial`,
  };
}

/**
 * Checks, before any work, that the outputs can come into being: none exists (unless `overwrite`), none is the scene,
 * the folder is there and takes a new entry. Creates the partial folder.
 */
export async function prepareOutputs(plan: OutputPlan, scenePath: string, overwrite: boolean): Promise<void> {
  const folder = path.dirname(plan.base);
  const about = await stat(folder).catch(() => null);
  if (!about) {
    throw new Problem(
      'output/no-folder',
      `${folder}: the output folder does not exist.`,
      'Create it, or change --out.',
    );
  }
  if (!about.isDirectory()) {
    throw new Problem('output/no-folder', `${folder}: is not a folder.`, 'Change --out.');
  }
  const scenes = await Promise.all(
    (await filesOfScene(scenePath)).map((file) => stat(file).catch(() => null)),
  );
  for (const file of plan.all) {
    const existing = await stat(file).catch(() => null);
    if (!existing) continue;
    if (scenes.some((scene) => scene && existing.ino === scene.ino && existing.dev === scene.dev)) {
      throw new Problem(
        'output/is-the-scene',
        `${file}: the output would replace the scene.`,
        'Change --out.',
      );
    }
    if (existing.isDirectory()) {
      throw new Problem('output/is-a-folder', `${file}: is a folder.`, 'Change --out.');
    }
    if (!overwrite) {
      throw new Problem(
        'output/exists',
        `${file}: exists already.`,
        'Give --overwrite to replace it, or change --out.',
      );
    }
  }
  try {
    // Not recursive: that reports a read-only disk as a missing folder.
    await mkdir(plan.partial);
  } catch (error) {
    const about = (error as NodeJS.ErrnoException).code === 'EEXIST' ? await lstat(plan.partial) : null;
    if (about?.isDirectory()) return;
    const { hint, code } = asProblem(error);
    const reason =
      code === 'file/read-only'
        ? 'the file system is read-only'
        : code === 'disk/full'
          ? 'the disk is full'
          : 'you may not write there';
    throw new Problem(
      code === 'disk/full' ? code : 'output/not-writable',
      `${folder}: cannot write the output, ${reason}.`,
      hint || 'Choose a place that you may write to.',
      error,
    );
  }
}

const lockName = 'in-use';

/**
 * Marks the partial folder as this process's, and clears away what a killed one was writing. Throws `output/in-use` while
 * another run of the same output is alive.
 */
export async function lockPartial(plan: OutputPlan): Promise<void> {
  const lock = path.join(plan.partial, lockName);
  let other: number | null;
  try {
    other = await claim(lock);
  } catch (error) {
    throw asProblem(error);
  }
  if (other !== null)
    throw new Problem(
      'output/in-use',
      `${plan.base}: process ${other} is writing this output now.`,
      `Wait for it, change --out, or delete ${lock} if no such run exists.`,
    );
  await removeLeftovers(plan.all);
}

/** Gives the partial folder free; it goes where nothing in it can be resumed. Says whether it is gone. */
export async function releasePartial(plan: OutputPlan): Promise<boolean> {
  await rm(path.join(plan.partial, lockName), { force: true }).catch(() => {});
  return rmdir(plan.partial).then(
    () => true,
    (error: NodeJS.ErrnoException) => error.code === 'ENOENT',
  );
}

/** Removes the partial folder with what is in it. */
export async function removePartial(plan: OutputPlan): Promise<void> {
  await rm(plan.partial, { recursive: true, force: true });
}

/** A warning if the outputs might not fit on the disk, or null: class maps compress well, so this is no verdict. */
export async function diskWarning(
  plan: OutputPlan,
  pixels: number,
  bytesPerPixel: number,
): Promise<string | null> {
  const about = await statfs(path.dirname(plan.base)).catch(() => null);
  if (!about) return null;
  const free = about.bavail * about.bsize;
  // Real class maps deflate to a few per cent, confidence to about a half.
  const likely = pixels * (bytesPerPixel * 0.1 + 0.5);
  if (likely <= free) return null;
  return `about ${megabytes(likely)} may be needed beside ${plan.base}, ${megabytes(free)} are free`;
}

function megabytes(bytes: number): string {
  return bytes < 2e9 ? `${Math.ceil(bytes / 1e6)} MB` : `${(bytes / 1e9).toFixed(1)} GB`;
}
