import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import * as ort from 'onnxruntime-node';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { starterPack } from '../../../src/main/packs/starter.ts';
import { Session } from '../../../src/worker/infer/session.ts';
import { Graph } from '../../../src/worker/onnx/graph.ts';
import { encodeModel } from '../../../src/worker/onnx/model-file.ts';
import { int8Columns } from '../../../src/worker/pack/int8-graph.ts';
import { openPack, type Pack } from '../../../src/worker/pack/open-pack.ts';
import { buildRandomPack } from '../../../src/worker/steps/random-pack.ts';
import { rebuildPack } from '../../../src/worker/steps/rebuild-pack.ts';

/** Values in (-1, 1) that are the same every time. */
function noise(count: number, seed = 1): Float32Array {
  return Float32Array.from({ length: count }, (_, i) => {
    const bits = Math.imul(i * 2 + seed, 2654435761) ^ (Math.imul(i + seed, 40503) << 7);
    return ((bits >>> 0) / 2 ** 32) * 2 - 1;
  });
}

describe('whole-number weights', () => {
  test('are the nearest ones, of 7 bits, one scale a column', () => {
    const [rows, columns] = [40, 7];
    const matrix = noise(rows * columns);
    for (let row = 0; row < rows; row++) {
      matrix[row * columns] = matrix[row * columns]! * 1e-4;
      matrix[row * columns + 3] = 0;
    }
    const { numbers, scales } = int8Columns(matrix, columns);
    for (let column = 0; column < columns; column++) {
      let largest = 0;
      for (let row = 0; row < rows; row++) {
        const at = row * columns + column;
        largest = Math.max(largest, Math.abs(numbers[at]!));
        const error = Math.abs(numbers[at]! * scales[column]! - matrix[at]!);
        expect(error, `row ${row} of column ${column}`).toBeLessThanOrEqual(scales[column]! * 0.5001);
      }
      expect(largest, `column ${column}`).toBe(column === 3 ? 0 : 64);
    }
  });

  test('saturate no kernel: the largest inputs times the largest weights are exact', async () => {
    const [rows, inner, columns] = [13, 768, 32];
    // Minimum 0 and maximum 255 make the runtime's step 1, so that inputs are whole numbers themselves.
    const x = new Float32Array(rows * inner).fill(255);
    x[0] = 0;
    const { numbers, scales } = int8Columns(
      Float32Array.from({ length: inner * columns }, (_, i) => (i % columns < 16 ? 64 : -64)),
      columns,
    );
    const graph = new Graph('products');
    const input = graph.input('x', 'float32', [rows, inner]);
    const product = graph.apply('DynamicQuantizeMatMul', [
      input,
      graph.constant(numbers, [inner, columns], 'numbers'),
      graph.constant(scales, [columns], 'scales'),
    ]);
    graph.output('y', product);
    const session = await ort.InferenceSession.create(encodeModel(graph), { logSeverityLevel: 3 });
    const { y } = await session.run({ x: new ort.Tensor('float32', x, [rows, inner]) });
    await session.release();
    for (const [i, value] of (y!.data as Float32Array).entries()) {
      const inputs = inner - (i < columns ? 1 : 0);
      const expected = inputs * 255 * 64 * (i % columns < 16 ? 1 : -1);
      expect(Math.abs(value - expected), `element ${i}`).toBeLessThanOrEqual(1e-6 * Math.abs(expected));
    }
  });
});

describe('packs of other precisions', () => {
  let folder: string;
  let whole: Pack;
  let starter: Pack;
  beforeAll(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'landscribe-precision-'));
    const out = path.join(folder, 'float32');
    await buildRandomPack(out, false, {
      signal: new AbortController().signal,
      report: () => {},
      note: () => {},
      emit: async () => {},
    });
    whole = await openPack(out);
    starter = await openPack(starterPack);
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  const rebuilt = async (precision: 'float32' | 'float16' | 'int8', from = whole): Promise<Pack> => {
    const out = path.join(folder, `${precision} of ${path.basename(from.folder)}`);
    await rebuildPack({ pack: from.folder, out, precision, overwrite: true });
    return openPack(out);
  };
  const tokensOf = async (pack: Pack, variant: string): Promise<Float32Array> => {
    const session = await Session.open(pack, pack.manifest.encoders.optical.graphs[variant]!, {
      provider: 'cpu',
      threads: 1,
    });
    const shape = [1, 3, 112, 96];
    const { tokens } = await session.run({ image: { values: noise(3 * 112 * 96, 5), shape } });
    await session.close();
    return tokens!.values as Float32Array;
  };
  /** Length of the difference against the length of what is expected. */
  const relative = (actual: Float32Array, expected: Float32Array): number => {
    let difference = 0;
    let size = 0;
    for (const [i, value] of expected.entries()) {
      difference += (actual[i]! - value) ** 2;
      size += value ** 2;
    }
    return Math.sqrt(difference / size);
  };

  test('float32 of a pack is that pack: same weights, same graphs', async () => {
    const again = await rebuilt('float32');
    expect(again.manifest.files).toEqual(whole.manifest.files);
  });

  test.each([
    { precision: 'float16' as const, within: 2e-3 },
    { precision: 'int8' as const, within: 5e-2 },
  ])('every variant of $precision sees nearly what float32 sees', async ({ precision, within }) => {
    const pack = await rebuilt(precision, starter);
    expect(pack.manifest.precision).toBe(precision);
    for (const variant of Object.keys(starter.manifest.encoders.optical.graphs)) {
      const expected = await tokensOf(starter, variant);
      const actual = await tokensOf(pack, variant);
      expect(actual.length).toBe(expected.length);
      const error = relative(actual, expected);
      expect(error, variant).toBeLessThanOrEqual(within);
      expect(error, `${variant} computes in float32`).toBeGreaterThan(1e-6);
    }
  });

  test('weights take fewer bytes', async () => {
    const bytes = (pack: Pack) => pack.manifest.files['vision.weights']!.bytes;
    const [half, quarter] = [bytes(await rebuilt('float16')), bytes(await rebuilt('int8'))];
    expect(half / bytes(whole)).toBeLessThan(0.6);
    expect(quarter).toBeLessThan(half);
  });

  test('int8 is the end of the road: nothing is made of rounded weights', async () => {
    const rounded = await rebuilt('int8');
    await expect(rebuilt('float32', rounded)).rejects.toMatchObject({ code: 'pack/precision' });
  });
});
