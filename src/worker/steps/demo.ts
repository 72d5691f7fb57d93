import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { ClassEntry } from '../classmap/class-entry.ts';
import { storageProblem } from '../classmap/storage-problem.ts';
import { throwIfCancelled } from '../report/problem.ts';
import { syntheticClasses } from '../synthetic/classes.ts';
import { generateScene, type SyntheticScene } from '../synthetic/generate-scene.ts';
import type { Style } from '../synthetic/style.ts';
import { writeSceneImage, writeSceneTruth } from '../synthetic/write-scene.ts';

/** A scene with a town, halls, fields, forest, a river and a lake, all in view. */
export const demoSeed = 2;

/** Metres per pixel of the demo. */
const demoResolution = 0.5;

export interface DemoScene {
  scene: SyntheticScene;
  /** `scene.tif`: RGB, EPSG:32632. */
  scenePath: string;
  /** `truth.tif`: the true class map, ids as in `classes`. */
  truthPath: string;
  classes: readonly ClassEntry[];
}

/** Generates the demo's scene of `size` × `size` pixels and writes it and its true map into a folder. Throws `Problem`. */
export async function makeDemoScene(
  folder: string,
  seed: number = demoSeed,
  size = 768,
  options: { style?: Style; software?: string; signal?: AbortSignal } = {},
): Promise<DemoScene> {
  const { style, software = 'Landscribe', signal } = options;
  const scene = generateScene({
    seed,
    width: size,
    height: size,
    resolution: demoResolution,
    ...(style && { style }),
  });
  throwIfCancelled(signal);
  try {
    await mkdir(folder, { recursive: true });
  } catch (error) {
    throw storageProblem(error, folder);
  }
  const scenePath = join(folder, 'scene.tif');
  const truthPath = join(folder, 'truth.tif');
  await writeSceneImage(scene, scenePath, software, signal);
  await writeSceneTruth(scene, truthPath, software, signal);
  return { scene, scenePath, truthPath, classes: syntheticClasses };
}
