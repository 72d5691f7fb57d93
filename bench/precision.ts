/**
 * ViT-B/16's encoder in float32 and in int8, turn about in one process with the same threads: wall-clock and processor
 * milliseconds, medians; and how many of the labels that the starter pack gives a scene stay the same in float16 and
 * int8. Weights of the ViT-B/16 are a formula: speed does not depend on their values, labels would.
 *
 *   node bench/precision.ts [--threads 1] [--runs 9] [--scene FILE] [--classes "building; road"] [--json]
 *
 * Without --scene the labels are left out unless the test data's scene lies beside the repository.
 */
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { starterPack } from '../src/main/packs/starter.ts';
import { runSegment } from '../src/main/run/segment.ts';
import { readClassStrips } from '../src/worker/classmap/geotiff-reader.ts';
import { Session } from '../src/worker/infer/session.ts';
import { openPack, type Pack } from '../src/worker/pack/open-pack.ts';
import { rebuildPack } from '../src/worker/steps/rebuild-pack.ts';
import { medianTiming, type Timing, timed } from './measures/timing.ts';
import { fullSizePack } from './packs/full-size.ts';

const side = 224;
const colours = ['#d73027', '#4575b4', '#1a9850', '#fee08b', '#91bfdb', '#8c510a'];

/** The pack in another precision, kept beside it; made anew when the pack is newer. */
async function inPrecision(pack: Pack, precision: 'int8' | 'float16', out: string): Promise<Pack> {
  const known = await openPack(out).catch(() => null);
  if (known && known.manifest.created > pack.manifest.created) return known;
  await rebuildPack({ pack: pack.folder, out, precision, overwrite: true });
  return openPack(out);
}

async function measureSpeed(threads: number, runs: number) {
  const float32 = await fullSizePack();
  const int8 = await inPrecision(float32, 'int8', `${float32.folder}-int8`);
  const values = Float32Array.from({ length: 3 * side * side }, (_, i) => {
    return ((Math.imul(i, 2654435761) >>> 24) - 128) / 64;
  });
  const image = { values, shape: [1, 3, side, side] };
  const sessions = await Promise.all(
    [float32, int8].map((pack) =>
      Session.open(pack, pack.manifest.encoders.optical.graphs['segearth-1']!, { provider: 'cpu', threads }),
    ),
  );
  const timings: [Timing[], Timing[]] = [[], []];
  for (let run = -1; run < runs; run++) {
    for (const [which, session] of sessions.entries()) {
      const timing = await timed(() => session.run({ image }));
      if (run >= 0) timings[which]!.push(timing);
    }
  }
  for (const session of sessions) await session.close();
  const summary = (each: readonly Timing[]) => ({
    ...medianTiming(each),
    /** The run that other programs disturbed least. */
    least: Math.min(...each.map(({ processor }) => processor)),
  });
  return { float32: summary(timings[0]), int8: summary(timings[1]) };
}

/** Share of the scene's labels that stay as they are in float32. */
async function measureLabels(scene: string, names: string[], threads: number) {
  const folder = await mkdtemp(path.join(tmpdir(), 'landscribe-precision-'));
  try {
    const starter = await openPack(starterPack);
    const packs: [string, Pack][] = [['float32', starter]];
    for (const precision of ['float16', 'int8'] as const)
      packs.push([precision, await inPrecision(starter, precision, path.join(folder, `pack-${precision}`))]);
    const maps: [string, Uint8Array][] = [];
    for (const [precision, pack] of packs) {
      const out = path.join(folder, `${precision}.tif`);
      await runSegment({
        scene,
        pack: pack.folder,
        classes: names.map((name, i) => ({ id: i + 1, name, words: [name], colour: colours[i % 6]! })),
        out,
        formats: ['tif'],
        threads,
      });
      const strips: Uint8Array[] = [];
      for await (const strip of readClassStrips(out, null)) strips.push(Uint8Array.from(strip.classes));
      maps.push([precision, Buffer.concat(strips)]);
    }
    const [, truth] = maps[0]!;
    return Object.fromEntries(
      maps.slice(1).map(([precision, map]) => {
        let same = 0;
        for (const [i, label] of truth.entries()) if (label === map[i]) same++;
        return [precision, same / truth.length];
      }),
    );
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

const { values } = parseArgs({
  options: {
    threads: { type: 'string', default: '1' },
    runs: { type: 'string', default: '9' },
    scene: { type: 'string' },
    classes: { type: 'string', default: 'building; road; tree; grass; water; bareland' },
    json: { type: 'boolean', default: false },
  },
});
const threads = Number(values.threads);
const runs = Number(values.runs);
const beside = path.resolve(import.meta.dirname, '../../shared/data/scenes/oem_koeln_50.tif');
const scene = values.scene ?? (existsSync(beside) ? beside : null);
const { float32, int8 } = await measureSpeed(threads, runs);
const labels =
  scene === null
    ? null
    : await measureLabels(
        scene,
        values.classes.split(';').map((name) => name.trim()),
        threads,
      );
const ratios = {
  wall: float32.wall / int8.wall,
  processor: float32.processor / int8.processor,
  least: float32.least / int8.least,
};
if (values.json) console.log(JSON.stringify({ threads, runs, float32, int8, ratios, labels }));
else {
  console.log(`ViT-B/16's encoder, one ${side} window, ${threads} threads, median of ${runs}`);
  for (const [name, { wall, processor, least }] of Object.entries({ float32, int8 }))
    console.log(
      `${name.padEnd(8)} ${wall.toFixed(0)} ms, ${processor.toFixed(0)} ms of processor time (least ${least.toFixed(0)})`,
    );
  console.log(
    `int8 is ${ratios.wall.toFixed(2)} times as fast by the clock, ${ratios.processor.toFixed(2)} by processor time (least ${ratios.least.toFixed(2)})`,
  );
  if (labels === null) console.log('no scene: labels were not compared (--scene)');
  else
    for (const [precision, share] of Object.entries(labels))
      console.log(
        `${precision.padEnd(8)} keeps ${(100 * share).toFixed(2)} % of the starter pack's labels on ${path.basename(scene!)}`,
      );
}
