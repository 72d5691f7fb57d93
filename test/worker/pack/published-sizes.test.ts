import { writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Session } from '../../../src/worker/infer/session.ts';
import type { Activation } from '../../../src/worker/net/transformer.ts';
import { writePack } from '../../../src/worker/pack/build-pack.ts';
import { openPack } from '../../../src/worker/pack/open-pack.ts';
import { formulaClip } from '../../../src/worker/weights/formula.ts';
import type { ClipGeometry } from '../../../src/worker/weights/geometry.ts';
import type { NamedWeights } from '../../../src/worker/weights/named-weights.ts';

/** Widths, heads and patches of the published sizes (Radford et al. 2021, table 20; OpenCLIP's ViT-H/14). */
const published = [
  { name: 'B/32', width: 768, heads: 12, patch: 32, embedding: 512, activation: 'quickgelu' as const },
  { name: 'L/14', width: 1024, heads: 16, patch: 14, embedding: 768, activation: 'quickgelu' as const },
  { name: 'H/14', width: 1280, heads: 16, patch: 14, embedding: 1024, activation: 'gelu' as const },
];
/** Two blocks and few patches: depth and length are loops, widths are not. */
const layers = 2;
const grid = 3;

describe('encoders of the published widths', () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'landscribe-sizes-'));
    writeFileSync(path.join(folder, 'vocabulary.gz'), gzipSync('#\n'));
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  test.each(published)('$name sees what the formulas say, in plain arithmetic', async ({
    name,
    width,
    heads,
    patch,
    embedding,
    activation,
  }) => {
    const geometry: ClipGeometry = {
      embedding,
      vision: { width, layers, heads, hidden: 4 * width, patch, grid, image: grid * patch },
      text: { width: 64, layers: 1, heads: 1, hidden: 64, context: 77, vocabulary: 514 },
    };
    const weights = formulaClip(geometry, name);
    const out = path.join(folder, name.replace('/', '-'));
    const { geometry: found } = await writePack(
      {
        clip: weights,
        vocabularyFile: path.join(folder, 'vocabulary.gz'),
        activation,
        name,
        sources: [],
        // The formula's values are float16 already.
        storage: 'float16',
      },
      out,
      { overwrite: false },
    );
    expect(found).toEqual(geometry);
    const side = grid * patch;
    const image = Float32Array.from(
      { length: 3 * side * side },
      (_, i) => (Math.imul(i + 1, 2654435761) >> 16) / 2 ** 15,
    );
    const pack = await openPack(out);
    for (const variant of ['clip', 'segearth-1']) {
      const session = await Session.open(pack, pack.manifest.encoders.optical.graphs[variant]!, {
        provider: 'cpu',
        threads: 1,
      });
      const { tokens, cls } = await session.run({ image: { values: image, shape: [1, 3, side, side] } });
      await session.close();
      const expected = await plainEncoder(geometry, weights, activation, image, variant === 'segearth-1');
      const actual = [...cls!.values, ...tokens!.values].map(Number);
      const largest = expected.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
      expect(actual.length).toBe(expected.length);
      const worst = expected.reduce(
        (at, value, i) => (Math.abs(actual[i]! - value) > Math.abs(actual[at]! - expected[at]!) ? i : at),
        0,
      );
      const error = Math.abs(actual[worst]! - expected[worst]!);
      expect(error, `${variant}, element ${worst} of largest ${largest}`).toBeLessThan(1e-3 * largest);
    }
    await rm(out, { recursive: true });
  });
});

/** CLS and patches after the projection, `[1 + grid², embedding]`, in float64, as the papers' formulas have it. */
async function plainEncoder(
  { embedding, vision }: ClipGeometry,
  weights: NamedWeights,
  activation: Activation,
  image: Float32Array,
  segearth: boolean,
): Promise<Float64Array> {
  const { width, heads, patch, hidden } = vision;
  const count = 1 + grid * grid;
  const side = grid * patch;
  const read = (name: string) => weights.read(`visual.${name}`);
  /** `x · Wᵀ + b` of rows of `inner` values. */
  const linear = (x: Float64Array, matrix: Float32Array, bias: Float32Array | null, inner: number) => {
    const outputs = matrix.length / inner;
    const rows = x.length / inner;
    const y = new Float64Array(rows * outputs);
    for (let row = 0; row < rows; row++) {
      for (let to = 0; to < outputs; to++) {
        let sum = bias?.[to] ?? 0;
        for (let k = 0; k < inner; k++) sum += x[row * inner + k]! * matrix[to * inner + k]!;
        y[row * outputs + to] = sum;
      }
    }
    return y;
  };
  const norm = async (x: Float64Array, name: string) => {
    const [scale, shift] = [await read(`${name}.weight`), await read(`${name}.bias`)];
    const y = new Float64Array(x.length);
    for (let row = 0; row < x.length; row += width) {
      const values = x.subarray(row, row + width);
      const mean = values.reduce((sum, value) => sum + value, 0) / width;
      const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / width;
      for (let k = 0; k < width; k++)
        y[row + k] = ((values[k]! - mean) / Math.sqrt(variance + 1e-5)) * scale[k]! + shift[k]!;
    }
    return y;
  };
  const plus = (a: Float64Array, b: Float64Array) => a.map((value, i) => value + b[i]!);

  const [kernel, cls, positions] = [
    await read('conv1.weight'),
    await read('class_embedding'),
    await read('positional_embedding'),
  ];
  let x = new Float64Array(count * width);
  for (let to = 0; to < width; to++) {
    x[to] = cls[to]! + positions[to]!;
    for (let token = 1; token < count; token++) {
      const row = Math.floor((token - 1) / grid) * patch;
      const column = ((token - 1) % grid) * patch;
      let sum = positions[token * width + to]!;
      for (let band = 0; band < 3; band++) {
        for (let dy = 0; dy < patch; dy++) {
          for (let dx = 0; dx < patch; dx++)
            sum +=
              image[(band * side + row + dy) * side + column + dx]! *
              kernel[((to * 3 + band) * patch + dy) * patch + dx]!;
        }
      }
      x[token * width + to] = sum;
    }
  }
  x = await norm(x, 'ln_pre');
  const size = width / heads;
  for (let layer = 0; layer < layers; layer++) {
    const block = `transformer.resblocks.${layer}`;
    const normed = await norm(x, `${block}.ln_1`);
    const projected = linear(
      normed,
      await read(`${block}.attn.in_proj_weight`),
      await read(`${block}.attn.in_proj_bias`),
      width,
    );
    const opened = segearth && layer === layers - 1;
    const mixed = new Float64Array(count * width);
    const at = (token: number, part: number, head: number) => token * 3 * width + part * width + head * size;
    // SegEarth: queries, keys and values each attend to themselves, and the three are added.
    const pairs = opened ? [[0, 0] as const, [1, 1] as const, [2, 2] as const] : [[0, 1] as const];
    for (let head = 0; head < heads; head++) {
      for (const [left, right] of pairs) {
        for (let from = 0; from < count; from++) {
          const scores = Float64Array.from({ length: count }, (_, to) => {
            let sum = 0;
            for (let k = 0; k < size; k++)
              sum += projected[at(from, left, head) + k]! * projected[at(to, right, head) + k]!;
            return sum / Math.sqrt(size);
          });
          const most = Math.max(...scores);
          const powers = scores.map((score) => Math.exp(score - most));
          const total = powers.reduce((sum, power) => sum + power, 0);
          for (let to = 0; to < count; to++) {
            for (let k = 0; k < size; k++)
              mixed[from * width + head * size + k]! +=
                (powers[to]! / total) * projected[at(to, 2, head) + k]!;
          }
        }
      }
    }
    const attended = linear(
      mixed,
      await read(`${block}.attn.out_proj.weight`),
      await read(`${block}.attn.out_proj.bias`),
      width,
    );
    if (opened) {
      x = attended;
      break;
    }
    x = plus(x, attended);
    const inner = linear(
      await norm(x, `${block}.ln_2`),
      await read(`${block}.mlp.c_fc.weight`),
      await read(`${block}.mlp.c_fc.bias`),
      width,
    );
    const active = inner.map((value) =>
      activation === 'gelu'
        ? (value / 2) * (1 + erf(value / Math.SQRT2))
        : value / (1 + Math.exp(-1.702 * value)),
    );
    x = plus(
      x,
      linear(
        active,
        await read(`${block}.mlp.c_proj.weight`),
        await read(`${block}.mlp.c_proj.bias`),
        hidden,
      ),
    );
  }
  const last = await norm(x, 'ln_post');
  const projection = await read('proj');
  const columns = Float32Array.from(
    projection,
    (_, i) => projection[(i % width) * embedding + Math.floor(i / width)]!,
  );
  return linear(last, columns, null, width);
}

/** The error function by its series, to 1e-12 for the few units that occur here. */
function erf(x: number): number {
  if (Math.abs(x) > 5) return Math.sign(x);
  let term = x;
  let sum = x;
  for (let n = 1; Math.abs(term) > 1e-17; n++) {
    term *= -(x * x) / n;
    sum += term / (2 * n + 1);
  }
  return (2 / Math.sqrt(Math.PI)) * sum;
}
