import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { readClassStrips } from '../../../src/worker/classmap/geotiff-reader.ts';
import type { Progress } from '../../../src/worker/report/progress.ts';
import {
  type SegmentSceneRequest,
  type SegmentSceneResult,
  segmentScene,
} from '../../../src/worker/steps/segment.ts';
import { planWindows, windowAt } from '../../../src/worker/tile/plan.ts';
import {
  fakeScorer,
  isValid,
  type SyntheticSettings,
  syntheticRequest,
  windowRows,
  workingPixels,
} from './synthetic-run.ts';

const root = mkdtempSync(join(tmpdir(), 'landscribe-segment-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));
let folders = 0;

const settings: SyntheticSettings = {
  width: 150,
  height: 117,
  scale: 1,
  classes: 'building, roof; road; water, river, lake',
  threshold: 0.5,
  background: 'road',
};

interface Outcome {
  request: SegmentSceneRequest;
  result: SegmentSceneResult;
  width: number;
  classes: Uint8Array | Uint16Array;
  confidence: Uint8Array;
  files: Buffer[];
}

function newFolder(): string {
  const folder = join(root, `run-${folders++}`);
  mkdirSync(folder);
  return folder;
}

async function readOutcome(request: SegmentSceneRequest, result: SegmentSceneResult): Promise<Outcome> {
  const { classMap, confidence } = request.outputs;
  for await (const strip of readClassStrips(classMap, confidence, 1e9)) {
    return {
      request,
      result,
      width: strip.width,
      classes: strip.classes,
      confidence: strip.confidence!,
      files: [readFileSync(classMap), readFileSync(confidence), readFileSync(`${classMap}.aux.xml`)],
    };
  }
  throw new Error('empty class map');
}

async function segment(
  changes: Partial<SyntheticSettings> = {},
  overrides: Partial<SegmentSceneRequest> = {},
): Promise<Outcome> {
  const request = syntheticRequest(newFolder(), { ...settings, ...changes }, overrides);
  return readOutcome(request, await segmentScene(request));
}

function sameFiles(left: Outcome, right: Outcome): boolean {
  return left.files.every((file, index) => file.equals(right.files[index]!));
}

/** The whole class map by the book: full-size sums in float32, PyTorch's resize, Math.exp. */
async function byTheBook(
  request: SegmentSceneRequest,
): Promise<{ classes: number[]; probability: number[] }> {
  const { workingGrid, rule, scene } = request;
  const { width, height, scale } = workingGrid;
  const words = rule.wordClasses.length;
  const plan = planWindows(width, height, request.window, request.stride);
  const { working, normalise } = workingPixels({ ...scene.header.grid, scale });
  const sums = new Float32Array(words * width * height);
  const counts = new Float32Array(width * height);
  const valid = new Uint8Array(width * height);
  for (let row = 0; row < plan.rows.count; row++) {
    for (let column = 0; column < plan.columns.count; column++) {
      const window = windowAt(plan, column, row);
      const read = await working.read(window);
      const plane = window.width * window.height;
      const scores = await fakeScorer(words).score(
        normalise(read.pixels, read.valid),
        window.height,
        window.width,
      );
      for (let at = 0; at < plane; at++) {
        const pixel =
          (window.row + Math.floor(at / window.width)) * width + window.column + (at % window.width);
        counts[pixel]!++;
        valid[pixel] = read.valid[at]!;
        for (let word = 0; word < words; word++) {
          const to = word * width * height + pixel;
          sums[to] = sums[to]! + scores[word * plane + at]!;
        }
      }
    }
  }
  const { grid } = scene.header;
  const classes: number[] = [];
  const probability: number[] = [];
  for (let row = 0; row < grid.height; row++) {
    for (let column = 0; column < grid.width; column++) {
      const seen = await scene.read({ column, row, width: 1, height: 1 }, [], 0);
      if (seen.valid[0] === 0) {
        classes.push(0);
        probability.push(0);
        continue;
      }
      const x = Math.max(0, (column + 0.5) / scale - 0.5);
      const y = Math.max(0, (row + 0.5) / scale - 0.5);
      const x0 = Math.min(Math.floor(x), width - 1);
      const y0 = Math.min(Math.floor(y), height - 1);
      const means = new Array<number>(words).fill(0);
      let weights = 0;
      for (const [dx, dy] of [
        [0, 0],
        [1, 0],
        [0, 1],
        [1, 1],
      ] as const) {
        const px = Math.min(x0 + dx, width - 1);
        const py = Math.min(y0 + dy, height - 1);
        const weight = (dx === 0 ? 1 - (x - x0) : x - x0) * (dy === 0 ? 1 - (y - y0) : y - y0);
        const at = py * width + px;
        if (weight === 0 || valid[at] === 0) continue;
        weights += weight;
        for (let word = 0; word < words; word++) {
          means[word]! += (weight * sums[word * width * height + at]!) / counts[at]!;
        }
      }
      const values = means.map((value) => value / weights);
      const most = Math.max(...values);
      const p = 1 / values.reduce((sum, value) => sum + Math.exp(rule.logitScale * (value - most)), 0);
      const id = rule.wordClasses[values.indexOf(most)]!;
      classes.push(p < rule.thresholds[id]! ? rule.background : id);
      probability.push(p);
    }
  }
  return { classes, probability };
}

describe('segmentScene', () => {
  it('computes what the method says, at any working resolution', async () => {
    for (const [scale, window] of [
      [1, 40],
      [1, 0],
      [2.3, 24],
      [0.7, 40],
      [1, 1000],
    ] as const) {
      const { request, classes, confidence, result } = await segment({ scale }, { window });
      const expected = await byTheBook(request);
      let different = 0;
      let worst = 0;
      for (let at = 0; at < classes.length; at++) {
        if (classes[at] !== expected.classes[at]) different++;
        worst = Math.max(worst, Math.abs(confidence[at]! - 255 * expected.probability[at]!));
      }
      // Interpolated scores are kept in float32 between the two passes, so near ties may fall the other way.
      expect(different, `scale ${scale}, window ${window}: pixels that differ`).toBeLessThanOrEqual(
        scale === 1 ? 0 : 2,
      );
      expect(worst, `scale ${scale}, window ${window}: worst confidence`).toBeLessThanOrEqual(0.51);
      const counts = new Array<number>(4).fill(0);
      for (const id of classes) counts[id]!++;
      expect(result.classPixels).toEqual(counts);
      // A test over a single class would prove nothing.
      expect(Math.min(...counts.slice(1))).toBeGreaterThan(100);
    }
  });

  it('never classifies nodata and classifies everything else', async () => {
    for (const scale of [1, 1.7, 3, 0.6]) {
      const { classes, confidence, width } = await segment({ scale });
      for (let at = 0; at < classes.length; at++) {
        const valid = isValid(at % width, Math.floor(at / width), settings.width, settings.height);
        expect([classes[at] !== 0, confidence[at] !== 0]).toEqual([valid, valid]);
      }
    }
  });

  it('gives the same bytes for any strip height, number of lanes and speed of the lanes', async () => {
    for (const scale of [1, 2.3]) {
      const first = await segment({ scale });
      let seed = 1;
      const jitter = (): Promise<unknown> => {
        seed = (seed * 48_271) % 2_147_483_647;
        return sleep(seed % 4);
      };
      for (const [stripRows, lanes] of [
        [16, 3],
        [48, 2],
        [10_000, 5],
      ] as const) {
        const other = await segment(
          { scale },
          {
            stripRows,
            rows: windowRows(
              { ...settings, scale },
              Array.from({ length: lanes }, () => fakeScorer(6, jitter)),
            ),
          },
        );
        expect(sameFiles(first, other), `scale ${scale}, strips of ${stripRows}, ${lanes} lanes`).toBe(true);
      }
    }
  });

  it('gives the same pixels for any panel width', async () => {
    for (const scale of [1, 2.3, 0.7]) {
      const first = await segment({ scale });
      for (const panelColumns of [16, 33, 96]) {
        const other = await segment({ scale }, { panelColumns, stripRows: 32 });
        expect(other.result.windows).toBeGreaterThan(first.result.windows);
        expect(other.classes).toEqual(first.classes);
        expect(other.confidence).toEqual(first.confidence);
        expect(other.result.classPixels).toEqual(first.result.classPixels);
      }
    }
  });

  it('gives the full run’s pixels for any extent, in their place', async () => {
    for (const scale of [1, 2.3, 0.7]) {
      const full = await segment({ scale });
      await fc.assert(
        fc.asyncProperty(
          fc.record({
            column: fc.integer({ min: -20, max: settings.width - 1 }),
            row: fc.integer({ min: -20, max: settings.height - 1 }),
            width: fc.integer({ min: 21, max: 200 }),
            height: fc.integer({ min: 21, max: 200 }),
          }),
          fc.integer({ min: 16, max: 200 }),
          async (extent, panelColumns) => {
            const part = await segment({ scale }, { extent, panelColumns });
            const left = Math.max(0, extent.column);
            const top = Math.max(0, extent.row);
            const right = Math.min(settings.width, extent.column + extent.width);
            const bottom = Math.min(settings.height, extent.row + extent.height);
            expect(part.result.grid).toEqual({
              width: right - left,
              height: bottom - top,
              transform: [1000 + 2 * left, 2, 0, 9000 - 2 * top, 0, -2],
              crs: null,
            });
            expect(part.width).toBe(right - left);
            for (let row = top; row < bottom; row++) {
              const from = row * settings.width;
              const at = (row - top) * part.width;
              expect(part.classes.subarray(at, at + part.width)).toEqual(
                full.classes.subarray(from + left, from + right),
              );
              expect(part.confidence.subarray(at, at + part.width)).toEqual(
                full.confidence.subarray(from + left, from + right),
              );
            }
          },
        ),
        { numRuns: 12 },
      );
    }
  });

  it('equals the single window where the scene is one window', async () => {
    const one = await segment({ width: 38, height: 33 });
    const whole = await segment({ width: 38, height: 33 }, { window: 0 });
    expect(one.result.windows).toBe(1);
    expect(one.classes).toEqual(whole.classes);
    expect(one.confidence).toEqual(whole.confidence);
  });

  it('is, after any interruptions, what it is without', async () => {
    for (const panelColumns of [8192, 64]) {
      const whole = await segment({}, { panelColumns });
      let resumed = 0;
      await fc.assert(
        fc.asyncProperty(
          fc.array(fc.integer({ min: 1, max: 60 }), { minLength: 1, maxLength: 4 }),
          fc.integer({ min: 1, max: 3 }),
          async (stops, lanes) => {
            const folder = newFolder();
            for (const [attempt, stop] of [...stops, Number.POSITIVE_INFINITY].entries()) {
              const controller = new AbortController();
              let windows = 0;
              let last = -1;
              const request = syntheticRequest(folder, settings, {
                panelColumns,
                signal: controller.signal,
                // Another number of lanes does not make another run, …
                rows: windowRows(
                  settings,
                  Array.from({ length: lanes }, () =>
                    fakeScorer(6, async () => {
                      if (++windows >= stop) controller.abort();
                      await sleep(0);
                    }),
                  ),
                ),
                report: ({ phase, done, total, unit }: Progress) => {
                  expect([phase, unit]).toEqual(['segmenting', 'windows']);
                  expect(done).toBeGreaterThan(last);
                  expect(total).toBe(whole.result.windows);
                  last = done;
                },
              });
              // … nor does another clock.
              request.provenance = { ...request.provenance, date: `2026-01-0${attempt + 1}T00:00:00Z` };
              let result: SegmentSceneResult;
              try {
                result = await segmentScene(request);
              } catch (error) {
                expect(error).toMatchObject({ code: 'cancelled' });
                expect(existsSync(request.outputs.classMap)).toBe(false);
                continue;
              }
              expect(result.classPixels).toEqual(whole.result.classPixels);
              const outcome = await readOutcome(request, result);
              expect(outcome.classes).toEqual(whole.classes);
              expect(outcome.confidence).toEqual(whole.confidence);
              if (result.resumed) resumed++;
              // The bytes tell the date of the run's beginning; all else is equal.
              const date = outcome.result.provenance.date;
              const dated = await segment({}, { panelColumns, provenance: { ...request.provenance, date } });
              expect(sameFiles(outcome, dated)).toBe(true);
              expect(readdirSync(folder).sort()).toEqual([
                'map.confidence.tif',
                'map.tif',
                'map.tif.aux.xml',
              ]);
              return;
            }
          },
        ),
        { numRuns: 10, seed: 7 },
      );
      expect(resumed).toBeGreaterThan(2);
    }
  });

  it('says that it resumes, refuses another run’s files, and begins anew when told to', async () => {
    const folder = newFolder();
    const controller = new AbortController();
    const stopping = syntheticRequest(folder, settings, {
      signal: controller.signal,
      report: ({ done }) => {
        if (done === 20) controller.abort();
      },
    });
    await expect(segmentScene(stopping)).rejects.toMatchObject({
      code: 'cancelled',
      hint: expect.stringContaining('same command resumes'),
    });
    const other = syntheticRequest(folder, settings, { identity: { lambda: 0 } });
    await expect(segmentScene(other)).rejects.toMatchObject({ code: 'segment/other-run' });
    const resumed = await segmentScene(syntheticRequest(folder, settings));
    expect(resumed.resumed).toBe(true);

    await expect(
      segmentScene(syntheticRequest(folder, settings, { signal: AbortSignal.abort() })),
    ).rejects.toMatchObject({ code: 'cancelled' });
    const replaced = await segmentScene({ ...other, resume: 'replace' });
    expect(replaced.resumed).toBe(false);
  });

  it('leaves nothing behind where nothing was finished', async () => {
    const folder = newFolder();
    const failing = syntheticRequest(folder, settings, {
      rows: windowRows(settings, [
        {
          words: 6,
          score: async () => {
            throw new Error('broken session');
          },
        },
      ]),
    });
    await expect(segmentScene(failing)).rejects.toThrow('broken session');
    expect(readdirSync(folder)).toEqual([]);
  });

  it('returns at once where the same run finished before', async () => {
    const folder = newFolder();
    const outputs = {
      classMap: join(folder, 'map.tif'),
      confidence: join(folder, 'map.confidence.tif'),
      partFolder: folder,
    };
    const first = await segmentScene(syntheticRequest(folder, settings, { outputs }));
    const never = windowRows(settings, [
      {
        words: 6,
        score: async () => {
          throw new Error('scored again');
        },
      },
    ]);
    const again = await segmentScene(syntheticRequest(folder, settings, { outputs, rows: never }));
    expect(again).toEqual({ ...first, resumed: true });
    const changed = syntheticRequest(folder, settings, { outputs, rows: never, identity: {} });
    await expect(segmentScene(changed)).rejects.toThrow('scored again');
  });

  it('holds 300 classes', async () => {
    const names = Array.from({ length: 300 }, (_, index) => `class ${index}`).join(';');
    const { classes, result } = await segment({
      width: 60,
      height: 50,
      classes: names,
      threshold: 0,
      background: null,
    });
    expect(classes).toBeInstanceOf(Uint16Array);
    expect(Math.max(...classes)).toBeGreaterThan(255);
    expect(result.classPixels.reduce((sum, count) => sum + count, 0)).toBe(60 * 50);
  });

  it('says what does not fit into the memory allowed', async () => {
    await expect(segment({}, { memoryBytes: 50_000 })).rejects.toMatchObject({ code: 'segment/memory' });
    const tight = await segment({}, { memoryBytes: 200_000 });
    const roomy = await segment();
    expect(tight.result.windows).toBeGreaterThan(roomy.result.windows);
    expect(tight.classes).toEqual(roomy.classes);
  });

  it('refuses an extent outside the scene', async () => {
    await expect(
      segment({}, { extent: { column: 500, row: 0, width: 10, height: 10 } }),
    ).rejects.toMatchObject({ code: 'segment/extent' });
  });

  const mounted = join(root, 'small-disk');
  mkdirSync(mounted);
  const mountable =
    spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', mounted]).status === 0 &&
    spawnSync('umount', [mounted]).status === 0;

  it.skipIf(!mountable)('keeps finished strips on a full disk and goes on when there is room', async () => {
    spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', mounted]);
    try {
      const large = { ...settings, width: 400, height: 400 };
      const request = (): SegmentSceneRequest => syntheticRequest(mounted, large);
      await expect(segmentScene(request())).rejects.toMatchObject({ code: 'disk/full', name: 'Problem' });
      expect(readdirSync(mounted).filter((name) => name.endsWith('.tif'))).toEqual([]);
      spawnSync('mount', ['-o', 'remount,size=8m', mounted]);
      const result = await segmentScene(request());
      expect(result.resumed).toBe(true);
      const outcome = await readOutcome(request(), result);
      const whole = await segment({ width: 400, height: 400 });
      expect(sameFiles(outcome, whole)).toBe(true);
      spawnSync('mount', ['-o', 'remount,ro', mounted]);
      await expect(segmentScene({ ...request(), resume: 'restart' })).rejects.toMatchObject({
        code: 'file/read-only',
      });
    } finally {
      spawnSync('umount', [mounted]);
    }
  });
});
