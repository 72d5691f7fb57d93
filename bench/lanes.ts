/**
 * A scene of the demo's kind through the road from file to class map with a full-size ViT-B/16 and six words, by one lane
 * of one thread and by two, turn about. How the lanes scale, and what of the reading, stitching, deciding and writing
 * is hidden behind them: the conductor's thread works while lanes do, and only what lanes wait for costs time.
 *
 *   node bench/lanes.ts [--size 560] [--rounds 3] [--json]
 */
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import {
  isMainThread,
  MessageChannel,
  type MessagePort,
  parentPort,
  Worker,
  workerData,
} from 'node:worker_threads';
import { PackScorer } from '../src/worker/infer/pack-scorer.ts';
import { openPack, type Pack } from '../src/worker/pack/open-pack.ts';
import { conduct } from '../src/worker/steps/conduct.ts';
import { makeDemoScene } from '../src/worker/steps/demo.ts';
import { packFactsOf } from '../src/worker/steps/pack-facts.ts';
import { serveWindows } from '../src/worker/steps/remote-lane.ts';
import { median } from './measures/timing.ts';
import { axes, fullSizePack, papersSettings } from './packs/full-size.ts';

interface LaneData {
  pack: string;
  words: number;
  port: MessagePort;
}

/** Posts `null` when the session is loaded, and the milliseconds spent on windows at the end. */
async function serve({ pack: folder, words, port }: LaneData): Promise<void> {
  const pack = await openPack(folder);
  const embeddings = axes(words, pack.manifest.geometry.embedding);
  const scorer = await PackScorer.open(pack, embeddings, papersSettings, { provider: 'cpu', threads: 1 });
  // The first window is slower than the rest.
  await scorer.score(new Float32Array(3 * 224 * 224), 224, 224);
  parentPort!.postMessage(null);
  let busy = 0;
  await serveWindows(port, async ({ pixels, height, width }) => {
    const start = performance.now();
    const scores = await scorer.score(pixels, height, width);
    busy += performance.now() - start;
    return scores;
  });
  await scorer.close();
  parentPort!.postMessage(busy);
}

export interface RoadFigures {
  lanes: number;
  windows: number;
  wall: number;
  /** Share of the lanes' time that they worked. */
  working: number;
  /** Milliseconds that the conductor's thread was active. */
  conductor: number;
  /** Share of the conductor's time during which no lane waited. */
  hidden: number;
}

async function measure(
  lanes: number,
  scene: string,
  classes: Parameters<typeof conduct>[0]['classes'],
  pack: Pack,
  folder: string,
): Promise<RoadFigures> {
  const channels = Array.from({ length: lanes }, () => new MessageChannel());
  const words = classes.flatMap((entry) => entry.words).length;
  const threads = await Promise.all(
    channels.map(async ({ port2 }) => {
      const thread = new Worker(fileURLToPath(import.meta.url), {
        workerData: { pack: pack.folder, words, port: port2 } satisfies LaneData,
        transferList: [port2],
      });
      await once(thread, 'message');
      return thread;
    }),
  );
  const results = threads.map((thread) => once(thread, 'message'));
  const ends = threads.map((thread) => once(thread, 'exit'));
  const before = performance.eventLoopUtilization();
  const start = performance.now();
  const { windows } = await conduct(
    {
      scene,
      pack: packFactsOf(pack),
      classes,
      threshold: 0,
      background: null,
      bands: null,
      resolution: 'native',
      radar: null,
      extent: null,
      window: 224,
      stride: 112,
      scoring: papersSettings,
      recorded: {},
      program: 'Landscribe',
      version: 'bench',
      outputs: {
        classMap: path.join(folder, 'map.tif'),
        confidence: path.join(folder, 'map.confidence.tif'),
      },
      resume: 'replace',
      cacheBytes: 64 * 2 ** 20,
      memoryBytes: 256 * 2 ** 20,
      pictureSide: null,
      features: null,
      coordinates: null,
      fast: null,
      lanes: channels.map(({ port1 }) => port1),
    },
    { signal: new AbortController().signal, report() {}, note() {}, async emit() {} },
  );
  const wall = performance.now() - start;
  const conductor = performance.eventLoopUtilization(before).active;
  for (const { port1 } of channels) port1.close();
  const busy = (await Promise.all(results)).reduce(
    (sum, [milliseconds]) => sum + (milliseconds as number),
    0,
  );
  await Promise.all(ends);
  return {
    lanes,
    windows,
    wall,
    working: busy / lanes / wall,
    conductor,
    hidden: Math.max(0, 1 - (wall - busy / lanes) / conductor),
  };
}

if (!isMainThread) await serve(workerData as LaneData);
else {
  const { values } = parseArgs({
    options: {
      size: { type: 'string', default: '560' },
      rounds: { type: 'string', default: '3' },
      json: { type: 'boolean', default: false },
    },
  });
  const folder = await mkdtemp(path.join(tmpdir(), 'landscribe-lanes-'));
  try {
    const pack = await fullSizePack();
    const { scenePath, classes } = await makeDemoScene(folder, undefined, Number(values.size));
    const runs: RoadFigures[][] = [[], []];
    for (let round = 0; round < Number(values.rounds); round++) {
      for (const lanes of [1, 2]) {
        runs[lanes - 1]!.push(await measure(lanes, scenePath, [...classes], pack, folder));
      }
    }
    const figures = runs.map((rounds) => ({
      ...rounds[0]!,
      wall: median(rounds.map(({ wall }) => wall)),
      working: median(rounds.map(({ working }) => working)),
      conductor: median(rounds.map(({ conductor }) => conductor)),
      hidden: median(rounds.map(({ hidden }) => hidden)),
    }));
    const scaling = figures[0]!.wall / figures[1]!.wall;
    if (values.json) console.log(JSON.stringify({ figures, scaling }));
    else {
      const percent = (share: number) => `${(share * 100).toFixed(1)} %`;
      for (const { lanes, windows, wall, working, conductor, hidden } of figures) {
        console.log(
          `${lanes} lane${lanes > 1 ? 's' : ''}: ${windows} windows in ${(wall / 1000).toFixed(1)} s; lanes work ${percent(working)} of it; conductor active ${(conductor / 1000).toFixed(2)} s, ${percent(hidden)} of that hidden`,
        );
      }
      console.log(`one lane over two: ${scaling.toFixed(2)} (wanted: 1.7 on two free cores)`);
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
