import { execFileSync, spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { upsamplerShapes } from '../../../src/worker/net/upsampler.ts';
import { writePack } from '../../../src/worker/pack/build-pack.ts';
import { formulaClip, formulaWeights } from '../../../src/worker/weights/formula.ts';

const python = '/usr/bin/python3';
const checkerPresent = spawnSync(python, ['-c', 'import onnx']).status === 0;
if (!checkerPresent) console.warn('skipped: python3-onnx is not installed (apt-get install python3-onnx)');

/** Checks every graph by path, so that external weights are looked at too. */
const check = `
import onnx, sys
for path in sys.argv[1:]:
    onnx.checker.check_model(path)
    model = onnx.load(path, load_external_data=False)
    onnx.shape_inference.infer_shapes(model, strict_mode=True)
print(len(sys.argv) - 1)
`;

describe.skipIf(!checkerPresent)('ONNX files', () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'landscribe-onnx-'));
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  test.each([
    { patch: 16, kind: 'jbu_one', storage: 'float32', precision: 'float32' },
    { patch: 14, kind: 'jbu_one', storage: 'float16', precision: 'float32' },
    { patch: 32, kind: 'jbu_stack', storage: 'float16', precision: 'float32' },
    { patch: 8, kind: 'jbu_one', storage: 'float16', precision: 'float16' },
    { patch: 28, kind: 'jbu_one', storage: 'float32', precision: 'int8' },
  ] as const)('of a /$patch pack with $kind in $storage, computing in $precision, pass the checker of ONNX', async ({
    patch,
    kind,
    storage,
    precision,
  }) => {
    const vocabulary = path.join(folder, 'vocabulary.gz');
    writeFileSync(vocabulary, gzipSync('#\n'));
    const out = path.join(folder, `pack-${patch}`);
    const manifest = await writePack(
      {
        clip: formulaClip(
          {
            embedding: 24,
            vision: { width: 64, layers: 2, heads: 1, hidden: 128, patch, grid: 7, image: 7 * patch },
            text: { width: 64, layers: 1, heads: 1, hidden: 128, context: 77, vocabulary: 514 },
          },
          'checker',
        ),
        upsampler: { kind, weights: formulaWeights(upsamplerShapes(kind, 24), 'checker') },
        vocabularyFile: vocabulary,
        activation: 'gelu',
        name: 'checker',
        sources: [],
        storage,
        precision,
      },
      out,
      { overwrite: false },
    );
    const graphs = Object.keys(manifest.files).filter((name) => name.endsWith('.onnx'));
    expect(graphs.length).toBeGreaterThan(10);
    const printed = execFileSync(python, ['-c', check, ...graphs.map((name) => path.join(out, name))], {
      encoding: 'utf8',
    });
    expect(printed.trim()).toBe(String(graphs.length));
  });
});
