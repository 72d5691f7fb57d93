import { access, mkdir, readdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { Scores } from '../../worker/evaluate/confusion.ts';
import { openPack } from '../../worker/pack/open-pack.ts';
import { Problem } from '../../worker/report/problem.ts';
import { asProblem } from '../../worker/report/problem-record.ts';
import { EngineThread } from '../engine/engine-thread.ts';
import { program, version } from '../program.ts';
import { runSegment, type SegmentSummary } from './segment.ts';
import type { RunOptions } from './watch.ts';

export interface DemoRequest {
  /** Folder of the scene and the results; made if missing. */
  out: string;
  seed: number;
  /** Pixels along each side. */
  size: number;
  /** Null: a pack of random weights, made in the folder. */
  pack: string | null;
}

export interface DemoResult {
  scene: string;
  /** The scene's true class map. */
  truth: string;
  /** PNG of the scene beside its map. */
  preview: string;
  /** Whether the pack is of random weights, so that its labels mean nothing. */
  randomPack: boolean;
  segment: SegmentSummary;
  /** Of the result against the true map. */
  scores: Scores;
}

const marker = '.landscribe-demo';

/** A synthetic scene through the whole road. */
export async function runDemo(request: DemoRequest, options: RunOptions = {}): Promise<DemoResult> {
  const { signal, onProgress, onNote } = options;
  const folder = path.resolve(request.out);
  await prepareFolder(folder);
  const thread = new EngineThread('demo');
  try {
    onNote?.(`making a scene of ${request.size} × ${request.size} pixels …`);
    const { scenePath, truthPath, classes } = await thread.run(
      'makeDemoScene',
      { folder, seed: request.seed, size: request.size, software: `${program} ${version}` },
      { signal },
    );
    const pack = request.pack ?? path.join(folder, 'random-pack');
    if (request.pack === null && !(await openPack(pack).catch(() => null))) {
      await thread.run('buildRandomPack', { out: pack, overwrite: true }, { signal, onProgress });
    }
    const out = path.join(folder, 'result');
    const segment = await runSegment(
      {
        scene: scenePath,
        pack,
        classes,
        out,
        formats: ['gpkg', 'geojson', 'tif'],
        overwrite: true,
        resolution: 'native',
      },
      options,
    );
    const preview = path.join(folder, 'preview.png');
    const note = request.pack === null ? 'Random weights: these labels mean nothing.' : null;
    await thread.run(
      'picture',
      { scene: scenePath, classMap: `${out}.tif`, classes, note, out: preview },
      { signal },
    );
    const scores = await thread.run(
      'compareMaps',
      { truth: truthPath, classMap: `${out}.tif`, names: classes.map(({ name }) => name) },
      { signal },
    );
    const randomPack = request.pack === null;
    return { scene: scenePath, truth: truthPath, preview, randomPack, segment, scores };
  } finally {
    await thread.close();
  }
}

/** Makes the folder, or takes it if an earlier demo made it: nobody's own files are overwritten. */
async function prepareFolder(folder: string): Promise<void> {
  try {
    await mkdir(folder, { recursive: true });
    const ours = await access(path.join(folder, marker)).then(
      () => true,
      () => false,
    );
    if (ours) return;
    if ((await readdir(folder)).length > 0) {
      throw new Problem(
        'output/exists',
        `${folder}: holds other files already.`,
        'Give --out a new folder, or one of an earlier demo.',
      );
    }
    await writeFile(path.join(folder, marker), '');
  } catch (error) {
    throw asProblem(error);
  }
}
