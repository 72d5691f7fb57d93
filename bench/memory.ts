/**
 * Memory and time of reading, stitching, deciding and writing for scenes of growing size, through a cheap scorer:
 * everything of `segment` but the model. Each size runs in a process of its own.
 *
 *   node bench/memory.ts [--sizes 10000,40000] [--words 4] [--json]
 */
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { classEntries } from '../src/worker/classmap/classes.ts';
import { decisionRule } from '../src/worker/classmap/decide.ts';
import { conductorLimits } from '../src/worker/steps/conductor-limits.ts';
import { segmentScene } from '../src/worker/steps/segment.ts';
import { WindowRows } from '../src/worker/steps/window-rows.ts';
import { planWindows } from '../src/worker/tile/plan.ts';
import type { WindowScorer } from '../src/worker/tile/window-scorer.ts';

export interface MemoryFigures {
  /** Pixels along a side. */
  size: number;
  seconds: number;
  /** Largest resident memory of the process, MiB. */
  residentMiB: number;
  windows: number;
  classMapBytes: number;
}

const textureSize = 1024;

/** A texture of soft blobs that scenes repeat: cheap to read at any size, yet with pieces of every class. */
function makeTexture(): Float32Array[] {
  return [0, 1, 2].map((channel) => {
    const texture = new Float32Array(textureSize * textureSize);
    const step = (2 * Math.PI) / textureSize;
    for (let row = 0; row < textureSize; row++) {
      for (let column = 0; column < textureSize; column++) {
        const wave =
          Math.sin(step * (5 + channel) * column + 3 * Math.sin(step * 7 * row)) +
          Math.cos(step * (6 + 2 * channel) * row + 2 * Math.cos(step * 4 * column));
        texture[row * textureSize + column] = 127.5 + 60 * wave;
      }
    }
    return texture;
  });
}

/** Hands out the same few buffers in turn, so that the figures show the engine's memory and not the fake's garbage. */
function bufferRing(count: number): (length: number) => Float32Array {
  const buffers: Float32Array[] = [];
  let next = 0;
  return (length) => {
    const index = next++ % count;
    if (buffers[index]?.length !== length) buffers[index] = new Float32Array(length);
    return buffers[index]!;
  };
}

/** More windows than are ever in flight with two lanes. */
const ringSize = 8;

function cheapScorer(words: number): WindowScorer {
  const allocate = bufferRing(ringSize);
  return {
    words,
    async score(pixels, height, width) {
      const plane = height * width;
      const scores = allocate(words * plane);
      for (let word = 0; word < words; word++) {
        const from = (word % 3) * plane;
        const to = word * plane;
        const factor = word < 3 ? 0.02 : -0.02;
        for (let at = 0; at < plane; at++) scores[to + at] = factor * pixels[from + at]!;
      }
      return scores;
    },
  };
}

/** Segments a synthetic scene of `size` × `size` pixels in this process. */
export async function measureSize(size: number, words: number): Promise<MemoryFigures> {
  const folder = mkdtempSync(join(tmpdir(), 'landscribe-memory-'));
  const texture = makeTexture();
  const allocate = bufferRing(ringSize);
  const valid = new Uint8Array(224 * 224).fill(1);
  const classes = classEntries(Array.from({ length: words }, (_, index) => [`class ${index + 1}`]));
  const outputs = { classMap: join(folder, 'map.tif'), confidence: join(folder, 'map.confidence.tif') };
  const started = performance.now();
  try {
    const grid = { width: size, height: size };
    const rows = new WindowRows({
      plan: planWindows(size, size, 224, 112),
      working: {
        async read({ column, row, width, height }) {
          const pixels = allocate(3 * width * height);
          for (let channel = 0; channel < 3; channel++) {
            const source = texture[channel]!;
            for (let line = 0; line < height; line++) {
              const from = ((row + line) % textureSize) * textureSize;
              const to = (channel * height + line) * width;
              for (let offset = 0; offset < width; offset++) {
                pixels[to + offset] = source[from + ((column + offset) % textureSize)]!;
              }
            }
          }
          return { pixels, valid: valid.subarray(0, width * height) };
        },
      },
      normalise(pixels) {
        for (let at = 0; at < pixels.length; at++) pixels[at] = (pixels[at]! - 120) / 70;
        return pixels;
      },
      scorers: [cheapScorer(words), cheapScorer(words)],
    });
    const { windows } = await segmentScene({
      scene: {
        header: {
          path: 'synthetic',
          format: 'synthetic',
          grid: { ...grid, transform: [0, 0.5, 0, 0, 0, -0.5], crs: null },
          bands: [],
          overviews: [],
          groundSampleDistance: null,
          details: {},
        },
        read: async () => {
          throw new Error('not needed at native resolution');
        },
      },
      bands: [0, 1, 2],
      workingGrid: { ...grid, scale: 1 },
      rows,
      window: 224,
      stride: 112,
      extent: null,
      rule: decisionRule(classes),
      provenance: {
        program: 'Landscribe',
        version: 'bench',
        date: '2026-01-01T00:00:00Z',
        scene: 'synthetic',
        sceneFingerprint: String(size),
        pack: 'none',
        packChecksum: 'none',
        classes,
        settings: {},
      },
      identity: {},
      outputs,
      resume: 'restart',
    });
    return {
      size,
      seconds: (performance.now() - started) / 1000,
      residentMiB: process.resourceUsage().maxRSS / 1024,
      windows,
      classMapBytes: statSync(outputs.classMap).size + statSync(outputs.confidence).size,
    };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The same in a process of its own, so that its memory is its own. */
export function measureApart(size: number, words: number): MemoryFigures {
  const child = spawnSync(
    process.execPath,
    [fileURLToPath(import.meta.url), '--one', String(size), '--words', String(words)],
    { encoding: 'utf8' },
  );
  if (child.status !== 0) throw new Error(child.stderr);
  return JSON.parse(child.stdout) as MemoryFigures;
}

/** The same in a thread of this process, with the conductor's limits. */
async function measureInThread(size: number, words: number): Promise<MemoryFigures> {
  const thread = new Worker(fileURLToPath(import.meta.url), {
    workerData: { size, words },
    resourceLimits: conductorLimits,
  });
  const [[figures]] = await Promise.all([once(thread, 'message'), once(thread, 'exit')]);
  return figures as MemoryFigures;
}

if (!isMainThread && parentPort !== null) {
  const { size, words } = workerData as { size: number; words: number };
  parentPort.postMessage(await measureSize(size, words));
} else if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { values } = parseArgs({
    options: {
      sizes: { type: 'string', default: '10000,40000' },
      words: { type: 'string', default: '4' },
      one: { type: 'string' },
      json: { type: 'boolean', default: false },
    },
  });
  const words = Number(values.words);
  if (values.one !== undefined) {
    console.log(JSON.stringify(await measureInThread(Number(values.one), words)));
  } else {
    const all = values.sizes.split(',').map((size) => {
      const figures = measureApart(Number(size), words);
      if (!values.json) {
        console.log(
          `${size} × ${size}, ${words} words: ${figures.residentMiB.toFixed(0)} MiB resident, ${figures.seconds.toFixed(0)} s, ${figures.windows} windows, ${(figures.classMapBytes / 1e6).toFixed(0)} MB written`,
        );
      }
      return figures;
    });
    const largest = Math.max(...all.map(({ residentMiB }) => residentMiB));
    const ratio = all.at(-1)!.residentMiB / all[0]!.residentMiB;
    if (values.json) console.log(JSON.stringify(all));
    else if (all.length > 1) {
      console.log(
        `resident memory of the last over the first: ${ratio.toFixed(3)} (limit 1.10, and 1536 MiB)`,
      );
    }
    if (ratio > 1.1 || largest > 1536) process.exitCode = 1;
  }
}
