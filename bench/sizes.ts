/**
 * Packs of the published sizes, whole and with formula weights: seconds to build, bytes on disk, milliseconds of one
 * 224 window in the encoder (processor time, median), resident memory. Needs free disk for one pack at a time.
 *
 *   node bench/sizes.ts [--sizes b-32,b-16,l-14,h-14] [--precision float32] [--runs 3] [--json]
 */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { gzipSync } from 'node:zlib';
import { Session } from '../src/worker/infer/session.ts';
import { upsamplerShapes } from '../src/worker/net/upsampler.ts';
import { writePack } from '../src/worker/pack/build-pack.ts';
import { openPack } from '../src/worker/pack/open-pack.ts';
import type { Precision } from '../src/worker/pack/precision.ts';
import { formulaClip, formulaWeights } from '../src/worker/weights/formula.ts';
import type { ClipGeometry } from '../src/worker/weights/geometry.ts';
import { apart } from './measures/apart.ts';

/** Radford et al. 2021, table 20; OpenCLIP's ViT-H/14. */
const sizes: Record<
  string,
  [width: number, layers: number, patch: number, embedding: number, text: number, textLayers: number]
> = {
  'b-32': [768, 12, 32, 512, 512, 12],
  'b-16': [768, 12, 16, 512, 512, 12],
  'l-14': [1024, 24, 14, 768, 768, 12],
  'h-14': [1280, 32, 14, 1024, 1024, 24],
};

function geometryOf(name: string): ClipGeometry {
  const [width, layers, patch, embedding, text, textLayers] = sizes[name]!;
  const heads = width === 1280 ? 16 : width / 64;
  return {
    embedding,
    vision: { width, layers, heads, hidden: 4 * width, patch, grid: 224 / patch, image: 224 },
    text: {
      width: text,
      layers: textLayers,
      heads: text / 64,
      hidden: 4 * text,
      context: 77,
      vocabulary: 49_408,
    },
  };
}

interface Figures {
  buildSeconds: number;
  buildMB: number;
  packMB: number;
  milliseconds: number;
  tokens: number;
  runMB: number;
}

async function build(name: string, precision: Precision, out: string): Promise<Partial<Figures>> {
  const started = performance.now();
  const vocabularyFile = path.join(path.dirname(out), 'bytes.txt.gz');
  await writeFile(vocabularyFile, gzipSync('#\n'));
  const geometry = geometryOf(name);
  const { files } = await writePack(
    {
      clip: formulaClip(geometry, 'bench'),
      upsampler: {
        kind: 'jbu_one',
        weights: formulaWeights(upsamplerShapes('jbu_one', geometry.embedding), 'bench'),
      },
      vocabularyFile,
      activation: name === 'h-14' ? 'gelu' : 'quickgelu',
      name,
      sources: [],
      precision,
    },
    out,
    { overwrite: true },
  );
  return {
    buildSeconds: (performance.now() - started) / 1000,
    buildMB: (process.resourceUsage().maxRSS * 1024) / 1e6,
    packMB: Object.values(files).reduce((sum, { bytes }) => sum + bytes, 0) / 1e6,
  };
}

async function run(folder: string, runs: number): Promise<Partial<Figures>> {
  const pack = await openPack(folder);
  const session = await Session.open(pack, pack.manifest.encoders.optical.graphs['segearth-1']!, {
    provider: 'cpu',
    threads: 1,
  });
  const image = Float32Array.from({ length: 3 * 224 * 224 }, (_, i) => Math.sin(i * 0.7) + Math.cos(i / 300));
  const times: number[] = [];
  let tokens = new Float32Array();
  for (let i = -1; i < runs; i++) {
    const before = process.cpuUsage();
    const outputs = await session.run({ image: { values: image, shape: [1, 3, 224, 224] } });
    const { user, system } = process.cpuUsage(before);
    if (i >= 0) times.push((user + system) / 1000);
    tokens = outputs.tokens!.values as Float32Array<ArrayBuffer>;
  }
  await session.close();
  if (!tokens.every(Number.isFinite)) throw new Error(`${folder}: tokens are not finite`);
  return {
    milliseconds: times.sort((a, b) => a - b)[times.length >> 1]!,
    tokens: tokens.length / pack.manifest.geometry.embedding,
    runMB: (process.resourceUsage().maxRSS * 1024) / 1e6,
  };
}

const { values } = parseArgs({
  options: {
    sizes: { type: 'string', default: 'b-32,b-16,l-14' },
    precision: { type: 'string', default: 'float32' },
    runs: { type: 'string', default: '3' },
    json: { type: 'boolean', default: false },
    step: { type: 'string' },
    folder: { type: 'string' },
  },
});
const precision = values.precision as Precision;
if (values.step === 'build')
  console.log(JSON.stringify(await build(values.sizes, precision, values.folder!)));
else if (values.step === 'run') console.log(JSON.stringify(await run(values.folder!, Number(values.runs))));
else {
  const cache = path.resolve(import.meta.dirname, '../.cache');
  await mkdir(cache, { recursive: true });
  const folder = await mkdtemp(path.join(cache, 'bench-sizes-'));
  try {
    for (const name of values.sizes.split(',')) {
      if (!Object.hasOwn(sizes, name)) throw new Error(`no size ${name}`);
      const common = ['--sizes', name, '--precision', precision, '--runs', values.runs];
      const at = ['--folder', path.join(folder, 'pack')];
      const figures = {
        ...(await apart<Partial<Figures>>(import.meta.filename, ['--step', 'build', ...common, ...at])),
        ...(await apart<Partial<Figures>>(import.meta.filename, ['--step', 'run', ...common, ...at])),
      } as Figures;
      if (values.json) console.log(JSON.stringify({ name, precision, ...figures }));
      else
        console.log(
          `${name} ${precision}: built in ${figures.buildSeconds.toFixed(0)} s (${figures.buildMB.toFixed(0)} MB resident), ${figures.packMB.toFixed(0)} MB on disk; ${figures.tokens} tokens in ${figures.milliseconds.toFixed(0)} ms of processor time (${figures.runMB.toFixed(0)} MB resident)`,
        );
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
