/**
 * Installs a full-size ViT-B/16 in the format that OpenAI publishes (formula weights, 300 MB) from a server on this
 * machine that drops the connection three times. Each attempt is a process of its own, as a user's would be; the last
 * one downloads the rest, converts, tries out and installs. Seconds and largest resident memory; fails above 1 GB.
 *
 *   node bench/install.ts [--json]
 */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { gzipSync } from 'node:zlib';
import { homeOf } from '../src/main/packs/home.ts';
import { installPack } from '../src/main/packs/install.ts';
import { type Registry, readRegistry } from '../src/main/packs/registry.ts';
import { upsamplerShapes } from '../src/worker/net/upsampler.ts';
import { Problem } from '../src/worker/report/problem.ts';
import { formulaClip, formulaWeights } from '../src/worker/weights/formula.ts';
import { writeSafetensors } from '../src/worker/weights/write-safetensors.ts';
import { dropAt, startMirror } from '../test/main/packs/mirror.ts';
import { writeScriptArchive } from '../test/main/packs/script-archive.ts';
import { apart } from './measures/apart.ts';

interface Attempt {
  installed: boolean;
  seconds: number;
  /** Of each phase. */
  phases: Record<string, number>;
  residentMB: number;
}

const memoryLimitMB = 1000;
const cache = path.resolve(import.meta.dirname, '../.cache/bench-install');

/** CLIP's number of merges, of pairs and triples of letters: a vocabulary of the right size that says nothing. */
function plainVocabulary(): Buffer {
  const letters = Array.from({ length: 94 }, (_, i) => String.fromCharCode(33 + i));
  const pairs = letters.flatMap((a) => letters.map((b) => [a, b] as const));
  const merges = pairs.map(([a, b]) => `${a} ${b}`);
  for (const [a, b] of pairs) for (const c of letters) merges.push(`${a}${b} ${c}`);
  return gzipSync(`#version: 0.2\n${merges.slice(0, 49_408 - 514).join('\n')}\n`);
}

/** The published files' stand-ins, kept between runs in the folder that git ignores. */
async function makeFiles(): Promise<Record<string, Buffer>> {
  await mkdir(cache, { recursive: true });
  const model = path.join(cache, 'ViT-B-16.pt');
  if (!existsSync(model)) {
    await writeScriptArchive(
      `${model}.part`,
      formulaClip(
        {
          embedding: 512,
          vision: { width: 768, layers: 12, heads: 12, hidden: 3072, patch: 16, grid: 14, image: 224 },
          text: { width: 512, layers: 12, heads: 8, hidden: 2048, context: 77, vocabulary: 49_408 },
        },
        'bench',
      ),
    );
    await rename(`${model}.part`, model);
  }
  const upsampler = path.join(cache, 'xclip_jbu_one_million_aid.ckpt');
  await writeSafetensors(upsampler, formulaWeights(upsamplerShapes('jbu_one', 512), 'bench'));
  return {
    'ViT-B-16.pt': await readFile(model),
    'xclip_jbu_one_million_aid.ckpt': await readFile(upsampler),
    'bpe_simple_vocab_16e6.txt.gz': plainVocabulary(),
  };
}

/** The registry's entry of the papers' model, with the checksums of the stand-ins. */
async function registryFor(files: Record<string, Buffer>): Promise<Registry> {
  const registry = await readRegistry();
  for (const entry of Object.values(registry.files)) {
    const bytes = files[path.basename(new URL(entry.url).pathname)];
    if (!bytes) continue;
    entry.checksum = { kind: 'sha256', value: createHash('sha256').update(bytes).digest('hex') };
    entry.bytes = bytes.length;
  }
  registry.expectations = { tokens: [], closer: [] };
  return registry;
}

/** One attempt, in this process. */
async function attempt(registryFile: string, mirror: string): Promise<Attempt> {
  const started = performance.now();
  const phases: Record<string, number> = {};
  let phase = '';
  let since = started;
  const enter = (next: string) => {
    const now = performance.now();
    if (phase !== '') phases[phase] = (phases[phase] ?? 0) + (now - since) / 1000;
    phase = next;
    since = now;
  };
  let installed = true;
  try {
    await installPack(
      {
        name: 'clip-b16',
        from: null,
        mirror,
        upsampler: null,
        overwrite: false,
        keepDownloads: false,
      },
      {
        registry: await readRegistry(registryFile),
        confirm: async () => true,
        network: { attempts: 1, env: {} },
        onProgress: (progress) => {
          if (progress.phase !== phase) enter(progress.phase);
        },
      },
    );
  } catch (error) {
    if (!(error instanceof Problem) || error.code !== 'download/unreachable') throw error;
    installed = false;
  }
  enter('');
  return {
    installed,
    seconds: (performance.now() - started) / 1000,
    phases,
    residentMB: (process.resourceUsage().maxRSS * 1024) / 1e6,
  };
}

async function main(json: boolean): Promise<void> {
  const files = await makeFiles();
  const model = files['ViT-B-16.pt']!;
  const mirror = await startMirror(files);
  const folder = await mkdtemp(path.join(cache, 'home-'));
  try {
    const registryFile = path.join(folder, 'registry.json');
    await writeFile(registryFile, JSON.stringify(await registryFor(files)));
    const attempts: Attempt[] = [];
    for (const share of [0.25, 0.5, 0.75, 1]) {
      mirror.behave = (request, response, content) =>
        share < 1 && request.url === '/ViT-B-16.pt'
          ? dropAt(mirror, request, response, content, Math.floor(model.length * share))
          : false;
      attempts.push(
        await apart<Attempt>(import.meta.filename, ['--attempt', registryFile, '--mirror', mirror.address], {
          LANDSCRIBE_HOME: folder,
        }),
      );
    }
    const last = attempts.at(-1)!;
    const figures = {
      modelMB: model.length / 1e6,
      /** More than 1 where dropped connections cost bytes. */
      sentPerByte: mirror.sent / Object.values(files).reduce((sum, { length }) => sum + length, 0),
      packMB: (await packBytes(homeOf({ LANDSCRIBE_HOME: folder }).packs)) / 1e6,
      attempts,
    };
    const right =
      attempts.slice(0, -1).every(({ installed }) => !installed) &&
      last.installed &&
      attempts.every(({ residentMB }) => residentMB <= memoryLimitMB);
    if (json) console.log(JSON.stringify(figures));
    else {
      console.log(`model ${figures.modelMB.toFixed(0)} MB, pack ${figures.packMB.toFixed(0)} MB`);
      console.log(`sent ${figures.sentPerByte.toFixed(3)} bytes for each byte of the files`);
      for (const { installed, seconds, residentMB, phases } of attempts) {
        const parts = Object.entries(phases).map(([name, time]) => `${name} ${time.toFixed(1)} s`);
        console.log(
          `${installed ? 'installed' : 'dropped  '} ${seconds.toFixed(1)} s, ${residentMB.toFixed(0)} MB resident: ${parts.join(', ')}`,
        );
      }
      console.log(right ? 'as it should be' : `NOT as it should be (limit ${memoryLimitMB} MB)`);
    }
    if (!right) process.exitCode = 1;
  } finally {
    await mirror.close();
    await rm(folder, { recursive: true, force: true });
  }
}

async function packBytes(packs: string): Promise<number> {
  const manifest = JSON.parse(await readFile(path.join(packs, 'clip-b16/manifest.json'), 'utf8')) as {
    files: Record<string, unknown>;
  };
  let bytes = 0;
  for (const file of Object.keys(manifest.files))
    bytes += (await stat(path.join(packs, 'clip-b16', file))).size;
  return bytes;
}

const { values } = parseArgs({
  options: { json: { type: 'boolean' }, attempt: { type: 'string' }, mirror: { type: 'string' } },
});
if (values.attempt) console.log(JSON.stringify(await attempt(values.attempt, values.mirror ?? '')));
else await main(values.json ?? false);
