import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { gzipSync } from 'node:zlib';
import sharp from 'sharp';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type Home, homeOf } from '../../../src/main/packs/home.ts';
import { type InstallOptions, type InstallRequest, installPack } from '../../../src/main/packs/install.ts';
import { listPacks, removePack, verifyInstalled } from '../../../src/main/packs/installed.ts';
import type { PublishedFile, Registry } from '../../../src/main/packs/registry.ts';
import { upsamplerShapes } from '../../../src/worker/net/upsampler.ts';
import { openPack, verifyPack } from '../../../src/worker/pack/open-pack.ts';
import { formulaClip, formulaWeights } from '../../../src/worker/weights/formula.ts';
import type { ClipGeometry } from '../../../src/worker/weights/geometry.ts';
import { writeSafetensors } from '../../../src/worker/weights/write-safetensors.ts';
import { checkpoints, hasFixtures } from '../../worker/weights/fixture-files.ts';
import { zip } from '../../worker/weights/zip-writer.ts';
import { runCli } from '../cli/run-cli.ts';
import { dropAt, type Mirror, noise, startMirror } from './mirror.ts';
import { writeScriptArchive } from './script-archive.ts';

const base = mkdtempSync(path.join(tmpdir(), 'landscribe-install-'));
afterAll(() => rmSync(base, { recursive: true, force: true }));

const geometry: ClipGeometry = {
  embedding: 64,
  vision: { width: 64, layers: 2, heads: 1, hidden: 256, patch: 16, grid: 7, image: 112 },
  text: { width: 64, layers: 2, heads: 1, hidden: 256, context: 77, vocabulary: 514 },
};
const expectedGeometry = {
  patch: 16,
  image: 112,
  width: 64,
  layers: 2,
  embedding: 64,
  textWidth: 64,
  textLayers: 2,
};
/** Bytes as tokens: start, the letters with the last one's end of word, end. */
const byteTokens = { prompt: 'ab', ids: [512, 64, 256 + 65, 513] };

let files: Record<string, Buffer>;
let mirror: Mirror;
let home: Home;

beforeAll(async () => {
  const model = path.join(base, 'model.pt');
  const upsampler = path.join(base, 'upsampler.ckpt');
  await writeScriptArchive(model, formulaClip(geometry, 'install'));
  await writeSafetensors(upsampler, formulaWeights(upsamplerShapes('jbu_one', 64), 'install'));
  const bytes = readFileSync(model);
  files = {
    'model.pt': bytes,
    'upsampler.ckpt': readFileSync(upsampler),
    'vocabulary.txt.gz': gzipSync('#version: 0.2\n'),
    'archive.zip': zip([
      { name: 'run/readme.txt', bytes: Buffer.from('hello') },
      { name: 'run/epoch_20.pt', bytes, deflated: true },
    ]),
  };
});
beforeEach(async () => {
  mirror = await startMirror(files);
  home = homeOf({ LANDSCRIBE_HOME: mkdtempSync(path.join(base, 'home-')) });
});
afterEach(() => mirror.close());

const sha256 = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');
const gitBlob = (bytes: Buffer): string =>
  createHash('sha1').update(`blob ${bytes.length}\0`).update(bytes).digest('hex');

function registryOf(change: (registry: Registry) => void = () => {}): Registry {
  const file = (
    name: string,
    role: PublishedFile['role'],
    checksum: PublishedFile['checksum'],
  ): PublishedFile => ({
    role,
    url: `${mirror.address}${name}`,
    licence: { name: role === 'upsampler' ? null : 'MIT', stated: 'https://example.org/licence' },
    checksum,
    bytes: null,
    megabytes: null,
    unconfirmed: [],
  });
  const registry: Registry = {
    version: 1,
    expectations: { tokens: [byteTokens], closer: [] },
    files: {
      model: file('model.pt', 'checkpoint', { kind: 'sha256', value: sha256(files['model.pt']!) }),
      upsampler: file('upsampler.ckpt', 'upsampler', {
        kind: 'git-blob-sha1',
        value: gitBlob(files['upsampler.ckpt']!),
      }),
      vocabulary: file('vocabulary.txt.gz', 'vocabulary', { kind: 'recorded' }),
      zipped: { ...file('archive.zip', 'checkpoint', { kind: 'recorded' }), member: 'epoch_20.pt' },
    },
    packs: {
      tiny: {
        title: 'a tiny model',
        checkpoint: 'model',
        upsampler: 'upsampler',
        vocabulary: 'vocabulary',
        modality: 'optical',
        activation: 'quickgelu',
        normalisation: { mean: [120, 110, 100], deviation: [60, 61, 62] },
        settings: { attention: 'segearth', lastLayers: 1, lambda: -0.3 },
        geometry: { ...expectedGeometry },
      },
      zipped: {
        title: 'a tiny model in an archive, for SAR images',
        checkpoint: 'zipped',
        upsampler: null,
        vocabulary: 'vocabulary',
        modality: 'sar',
        activation: 'gelu',
        normalisation: { mean: [120, 110, 100], deviation: [60, 61, 62] },
        settings: { attention: 'sclip', lastLayers: 2, lambda: -0.3 },
        geometry: { ...expectedGeometry },
      },
    },
  };
  change(registry);
  return registry;
}

function install(
  request: Partial<InstallRequest> = {},
  options: Partial<InstallOptions> = {},
): Promise<string> {
  return installPack(
    {
      name: 'tiny',
      from: null,
      mirror: null,
      upsampler: null,
      overwrite: false,
      keepDownloads: false,
      ...request,
    },
    {
      confirm: async () => true,
      home,
      registry: registryOf(),
      network: { env: {}, attempts: 1, waitMs: () => 1, stallMs: 5000 },
      ...options,
    },
  );
}

/** Nothing in the home but what is allowed to be there. */
function expectNothingInstalled(downloads: string[] = []): void {
  expect(existsSync(home.packs) ? readdirSync(home.packs) : []).toEqual([]);
  expect(existsSync(home.downloads) ? readdirSync(home.downloads) : []).toEqual(downloads);
  expect(existsSync(path.join(home.folder, 'lock'))).toBe(false);
}

describe('pack install', () => {
  it('brings a model through three interruptions to a pack that answers', async () => {
    const { length } = files['model.pt']!;
    for (const share of [0.25, 0.5, 0.75]) {
      mirror.behave = (request, response, content) =>
        request.url === '/model.pt'
          ? dropAt(mirror, request, response, content, Math.floor(length * share))
          : false;
      await expect(install()).rejects.toMatchObject({ code: 'download/unreachable' });
      expectNothingInstalled(['model.pt.part', 'model.pt.part.json']);
    }
    mirror.behave = () => false;
    const phases = new Map<string, number>();
    const folder = await install(
      {},
      {
        onProgress({ phase, done, total }) {
          expect(done).toBeGreaterThanOrEqual(phases.get(phase) ?? 0);
          expect(done).toBeLessThanOrEqual(total);
          phases.set(phase, done);
        },
      },
    );
    const resumed = mirror.asked.filter(({ url }) => url === '/model.pt').map(({ headers }) => headers.range);
    expect(resumed.slice(1)).toEqual([
      expect.stringMatching(/^bytes=/),
      expect.stringMatching(/^bytes=/),
      expect.stringMatching(/^bytes=/),
    ]);
    expect([...phases.keys()]).toEqual([
      ...['downloading model.pt', 'checking model.pt'],
      ...['downloading upsampler.ckpt', 'checking upsampler.ckpt'],
      ...['downloading vocabulary.txt.gz', 'checking vocabulary.txt.gz'],
      ...['building', 'trying out'],
    ]);
    expect(folder).toBe(path.join(home.packs, 'tiny'));
    const pack = await openPack(folder);
    await verifyPack(pack);
    const { name, activation, normalisation, upsampler, sources } = pack.manifest;
    expect({ name, activation, kind: upsampler?.kind, mean: normalisation.mean }).toEqual({
      name: 'tiny',
      activation: 'quickgelu',
      kind: 'jbu_one',
      mean: [120, 110, 100],
    });
    expect(sources[0]).toEqual({
      role: 'checkpoint',
      file: 'model.pt',
      sha256: sha256(files['model.pt']!),
    });
    expect(readdirSync(home.packs)).toEqual(['tiny']);
    expect(readdirSync(home.downloads)).toEqual([]);
    expect(await verifyInstalled(folder)).toMatchObject({ answers: 'as installed' });
  });

  it('asks first, and says where licences are missing', async () => {
    let asked = '';
    const confirm = async (text: string) => {
      asked = text;
      return false;
    };
    await expect(install({}, { confirm })).rejects.toMatchObject({ code: 'pack/declined' });
    expect(mirror.asked).toEqual([]);
    expect(asked).toContain(`${mirror.address}model.pt`);
    expect(asked).toMatch(/licence {2}MIT/);
    expect(asked).toMatch(/upsampler\.ckpt[\s\S]*licence {2}NOT STATED/);
    expect(asked).toContain('none published; recorded');
    expectNothingInstalled();
  });

  it('takes all files from a mirror when one is given', async () => {
    const other = await startMirror(files);
    try {
      await install({ mirror: `${other.address}` });
      expect(mirror.asked).toEqual([]);
      expect(other.asked.map(({ url }) => url)).toEqual([
        '/model.pt',
        '/upsampler.ckpt',
        '/vocabulary.txt.gz',
      ]);
    } finally {
      await other.close();
    }
  });

  it('works from a folder without any network', async () => {
    const from = mkdtempSync(path.join(base, 'from-'));
    writeFileSync(path.join(from, 'model.pt'), files['model.pt']!);
    writeFileSync(path.join(from, 'upsampler.ckpt'), files['upsampler.ckpt']!);
    await expect(install({ from })).rejects.toMatchObject({
      code: 'pack/no-file',
      message: expect.stringContaining(path.join(from, 'vocabulary.txt.gz')),
      hint: expect.stringContaining(`${mirror.address}vocabulary.txt.gz`),
    });
    expectNothingInstalled();
    writeFileSync(path.join(from, 'vocabulary.txt.gz'), files['vocabulary.txt.gz']!);
    await install({ from });
    expect(mirror.asked).toEqual([]);
    expect(readdirSync(from).sort()).toEqual(['model.pt', 'upsampler.ckpt', 'vocabulary.txt.gz']);
  });

  it('finds the checkpoint inside an archive; a SAR encoder alone stands for both', async () => {
    const folder = await install({ name: 'zipped', keepDownloads: true });
    const { encoders, files: listed } = (await openPack(folder)).manifest;
    expect(encoders.sar).toEqual(encoders.optical);
    expect([encoders.optical.attention, encoders.optical.lastLayers]).toEqual(['sclip', 2]);
    expect(Object.keys(listed)).not.toContain('vision-sar.weights');
    expect(readdirSync(home.downloads).sort()).toEqual(['archive.zip', 'vocabulary.txt.gz']);
    expect(readdirSync(home.packs)).toEqual(['zipped']);
  });

  it('takes another upsampler or none', async () => {
    const folder = await install({ upsampler: 'none' });
    expect((await openPack(folder)).manifest.upsampler).toBeNull();
    await expect(install({ upsampler: 'model', overwrite: true })).rejects.toMatchObject({
      code: 'pack/unknown',
      hint: expect.stringContaining('upsampler and none'),
    });
  });

  it.skipIf(!hasFixtures)("converts an archive in OpenAI's own format", async () => {
    const openai = readFileSync(path.join(checkpoints, 'openai-jit-fp16.pt'));
    const simfeatup = readFileSync(path.join(checkpoints, 'simfeatup-jbu-one.ckpt'));
    const vocabulary = readFileSync(path.join(checkpoints, '../../../clip/bpe_simple_vocab_16e6.txt.gz'));
    mirror.files.set('model.pt', openai);
    mirror.files.set('upsampler.ckpt', simfeatup);
    mirror.files.set('vocabulary.txt.gz', vocabulary);
    const registry = registryOf(({ files: listed, packs, expectations }) => {
      listed.model!.checksum = { kind: 'sha256', value: sha256(openai) };
      listed.upsampler!.checksum = { kind: 'git-blob-sha1', value: gitBlob(simfeatup) };
      packs.tiny!.geometry = {
        ...{ patch: 16, image: 224, width: 128, layers: 4 },
        ...{ embedding: 40, textWidth: 64, textLayers: 2 },
      };
      expectations.tokens = [{ prompt: 'Tree Cover', ids: [49406, 2677, 2202, 49407] }];
    });
    const folder = await install({}, { registry });
    expect((await openPack(folder)).manifest.geometry.text.vocabulary).toBe(49408);
  });
});

describe('what is not the published model', () => {
  it('is refused by its checksum and deleted', async () => {
    mirror.files.set('model.pt', noise(files['model.pt']!.length));
    await expect(install()).rejects.toMatchObject({
      code: 'pack/checksum',
      message: expect.stringContaining('is not the published file (sha256'),
    });
    expectNothingInstalled();
  });

  it("is refused by Git's name of a file", async () => {
    mirror.files.set('upsampler.ckpt', noise(5000));
    await expect(install()).rejects.toMatchObject({
      code: 'pack/checksum',
      message: expect.stringContaining('git-blob-sha1'),
    });
    // The model itself was right and stays for the next attempt.
    expectNothingInstalled(['model.pt']);
  });

  it('is fetched whole once more where an earlier half was of another file', async () => {
    // A server without validators, so that both halves get joined.
    mirror.behave = (request, response) => {
      if (request.url !== '/model.pt') return false;
      response.writeHead(200, { 'content-length': files['model.pt']!.length });
      const other = noise(300_000);
      response.write(other, () => setTimeout(() => response.destroy(), 20));
      return true;
    };
    await expect(install()).rejects.toMatchObject({ code: 'download/unreachable' });
    const ranges: (string | undefined)[] = [];
    mirror.behave = (request, response, content) => {
      if (request.url !== '/model.pt') return false;
      ranges.push(request.headers.range);
      const start = Number(/\d+/.exec(request.headers.range ?? '0')![0]);
      const { length } = content;
      if (start > 0) response.writeHead(206, { 'content-range': `bytes ${start}-${length - 1}/${length}` });
      response.end(content.subarray(start));
      return true;
    };
    await install();
    expect(ranges).toEqual([expect.stringMatching(/^bytes=/), undefined]);
    expect(readdirSync(home.packs)).toEqual(['tiny']);
  });

  it('is refused where no checksum is published but an earlier download was another file', async () => {
    await install();
    const recorded = JSON.parse(readFileSync(home.checksums, 'utf8')) as Record<string, { sha256: string }>;
    expect(Object.keys(recorded)).toEqual([`${mirror.address}vocabulary.txt.gz`]);
    expect(Object.values(recorded)[0]!.sha256).toBe(sha256(files['vocabulary.txt.gz']!));
    mirror.files.set('vocabulary.txt.gz', gzipSync('#version: 0.3\n'));
    await expect(install({ overwrite: true })).rejects.toMatchObject({
      code: 'pack/checksum',
      message: expect.stringContaining('first downloaded'),
    });
    await verifyPack(await openPack(path.join(home.packs, 'tiny')));
  });

  it('is refused by its length', async () => {
    const registry = registryOf(({ files: listed }) => {
      listed.model!.bytes = files['model.pt']!.length + 1;
    });
    await expect(install({}, { registry })).rejects.toMatchObject({ code: 'download/length' });
  });

  it('is refused by what it is, and what was installed before stays', async () => {
    const folder = await install();
    const before = readFileSync(path.join(folder, 'manifest.json'));
    const wrong: [RegExp, (registry: Registry) => void][] = [
      [
        /its layers is 2 instead of 12/,
        ({ packs }) => {
          packs.tiny!.geometry.layers = 12;
        },
      ],
      [
        /becomes tokens/,
        ({ expectations }) => {
          expectations.tokens = [{ prompt: 'ab', ids: [1] }];
        },
      ],
      [
        /no closer/,
        ({ expectations }) => {
          expectations.closer = [['a tree', 'a zebra crossing', 'a tree']];
        },
      ],
    ];
    for (const [message, change] of wrong) {
      await expect(install({ overwrite: true }, { registry: registryOf(change) })).rejects.toMatchObject({
        code: 'pack/smoke',
        message: expect.stringMatching(message),
      });
      expect(readdirSync(home.packs)).toEqual(['tiny']);
      expect(readFileSync(path.join(folder, 'manifest.json')).equals(before)).toBe(true);
    }
    await verifyPack(await openPack(folder));
  });

  it('is refused where it computes no numbers', async () => {
    const broken = formulaClip(geometry, 'install');
    const file = path.join(base, 'broken.pt');
    await writeScriptArchive(file, {
      ...broken,
      read: async (tensor) =>
        tensor === 'visual.ln_post.weight'
          ? new Float32Array(broken.shape(tensor)[0]!).fill(Number.NaN)
          : broken.read(tensor),
    });
    const bytes = readFileSync(file);
    mirror.files.set('model.pt', bytes);
    const registry = registryOf(({ files: listed }) => {
      listed.model!.checksum = { kind: 'sha256', value: sha256(bytes) };
    });
    await expect(install({}, { registry })).rejects.toMatchObject({
      code: 'pack/smoke',
      message: expect.stringContaining('not finite'),
    });
    expect(readdirSync(home.packs)).toEqual([]);
  });

  it('is no checkpoint: nothing is left of the conversion', async () => {
    const page = Buffer.from('<!DOCTYPE html><title>Sign in</title>');
    mirror.files.set('model.pt', page);
    const registry = registryOf(({ files: listed }) => {
      listed.model!.checksum = { kind: 'recorded' };
    });
    await expect(install({}, { registry })).rejects.toMatchObject({
      code: 'checkpoint/unknown-format',
      message: expect.stringContaining('web page'),
    });
    expect(readdirSync(home.packs)).toEqual([]);
  });
});

describe('installing', () => {
  it('can be stopped at every step, and leaves nothing installed', async () => {
    for (const step of ['downloading upsampler.ckpt', 'checking model.pt', 'building', 'trying out']) {
      const controller = new AbortController();
      const running = install(
        {},
        {
          signal: controller.signal,
          onProgress: ({ phase }) => {
            if (phase === step) controller.abort();
          },
        },
      );
      await expect(running, step).rejects.toMatchObject({ code: 'cancelled' });
      expect(existsSync(home.packs) ? readdirSync(home.packs) : []).toEqual([]);
      expect(existsSync(path.join(home.folder, 'lock'))).toBe(false);
    }
    await install();
    expect(readdirSync(home.packs)).toEqual(['tiny']);
  });

  it('clears what a crash left, and passes over a lock whose owner is gone', async () => {
    mkdirSync(path.join(home.packs, '.installing-abc'), { recursive: true });
    // No process has this number: it is beyond what Linux gives out.
    writeFileSync(path.join(home.folder, 'lock'), '4999999');
    await install();
    expect(readdirSync(home.packs)).toEqual(['tiny']);
  });

  it('is one at a time', async () => {
    writeFileSync(path.join(home.folder, 'lock'), String(process.pid));
    await expect(install()).rejects.toMatchObject({ code: 'pack/in-use' });
    expect(readFileSync(path.join(home.folder, 'lock'), 'utf8')).toBe(String(process.pid));
  });

  it('refuses names it does not know, and packs that are there', async () => {
    await expect(install({ name: 'nothing' })).rejects.toMatchObject({
      code: 'pack/unknown',
      hint: expect.stringContaining('tiny, zipped'),
    });
    await install();
    await expect(install()).rejects.toMatchObject({ code: 'pack/installed' });
    await install({ overwrite: true });
    expect(readdirSync(home.packs)).toEqual(['tiny']);
  });
});

describe('installed packs', () => {
  it('are listed, verified and removed', async () => {
    const folder = await install();
    const listed = await listPacks(home, registryOf());
    expect(listed.map(({ name, folder: at }) => [name, at])).toEqual([
      ['tiny', folder],
      ['zipped', null],
    ]);
    expect(listed[0]!.licences).toEqual({ model: 'MIT', upsampler: null });

    const receipt = path.join(folder, 'installed.json');
    const original = readFileSync(receipt, 'utf8');
    const changed = JSON.parse(original) as { smoke: { textCosines: number[] } };
    changed.smoke.textCosines[0]! += 0.01;
    writeFileSync(receipt, JSON.stringify(changed));
    await expect(verifyInstalled(folder)).rejects.toMatchObject({
      code: 'pack/smoke',
      message: expect.stringContaining('differ by 1.0e-2'),
    });
    writeFileSync(receipt, original);

    const weights = path.join(folder, 'vision.weights');
    const bytes = readFileSync(weights);
    bytes[1000]! ^= 1;
    writeFileSync(weights, bytes);
    await expect(verifyInstalled(folder)).rejects.toMatchObject({ code: 'pack/corrupt' });

    expect(await removePack('tiny', home)).toBe(folder);
    expect(readdirSync(home.packs)).toEqual([]);
    await expect(removePack('tiny', home)).rejects.toMatchObject({ code: 'pack/not-installed' });
    await expect(removePack('..', home)).rejects.toMatchObject({ code: 'pack/not-installed' });
    expect(existsSync(home.folder)).toBe(true);
  });
});

describe('the command line', () => {
  const env = () => ({
    LANDSCRIBE_HOME: home.folder,
    NO_PROXY: '127.0.0.1',
    LANDSCRIBE_MIRROR: mirror.address,
  });

  it('shows licences and downloads nothing unasked', async () => {
    const result = await runCli(['pack', 'install', 'clip-b16'], { env: env() });
    expect(result.code).toBe(1);
    expect(result.stdout).toBe('');
    expect(result.stderr).toMatch(/ViT-B-16\.pt, about 351 MB[\s\S]*licence {2}NOT STATED by its publisher/);
    expect(result.stderr).toMatch(/landscribe: Nothing was downloaded\. Give --yes/);
    expect(mirror.asked).toEqual([]);
  });

  it('stops at Ctrl-C and goes on from there', async () => {
    const half = noise(400_000);
    mirror.files.set('ViT-B-16.pt', half);
    let started = () => {};
    const asked = new Promise<void>((resolve) => {
      started = resolve;
    });
    mirror.behave = (_, response) => {
      response.writeHead(200, {
        'content-length': half.length,
        'last-modified': 'Tue, 05 Jan 2021 00:00:00 GMT',
      });
      response.write(half.subarray(0, 150_000), () => started());
      return true;
    };
    const part = path.join(home.downloads, 'ViT-B-16.pt.part');
    const result = await runCli(['pack', 'install', 'clip-b16', '--yes'], {
      env: env(),
      async onStart(child) {
        await asked;
        while (!existsSync(part) || statSync(part).size < 150_000) {
          await new Promise((resolve) => setTimeout(resolve, 20));
        }
        child.kill('SIGINT');
      },
    });
    expect(result.code).toBe(130);
    expect(result.stderr).toMatch(/landscribe: Cancelled\./);
    expectNothingInstalled(['ViT-B-16.pt.part', 'ViT-B-16.pt.part.json']);
    mirror.behave = () => false;
    await runCli(['pack', 'install', 'clip-b16', '--yes'], { env: env() });
    expect(mirror.asked[1]!.headers).toMatchObject({
      range: 'bytes=150000-',
      'if-range': 'Tue, 05 Jan 2021 00:00:00 GMT',
    });
  });

  it('refuses what a mirror has in place of the model', async () => {
    mirror.files.set('ViT-B-16.pt', noise(100_000));
    const result = await runCli(['pack', 'install', 'clip-b16', '--yes'], { env: env() });
    expect(result.code).toBe(1);
    expect(result.stderr).toMatch(/landscribe: .*ViT-B-16\.pt: is not the published file \(sha256/);
    expectNothingInstalled();
  });

  it('takes installed packs by their names', async () => {
    await install();
    const info = await runCli(['pack', 'info', 'tiny', '--json'], { env: env() });
    expect(JSON.parse(info.stdout)).toMatchObject({ name: 'tiny', folder: path.join(home.packs, 'tiny') });
    const verified = await runCli(['pack', 'verify', 'tiny'], { env: env() });
    expect(verified.stdout).toMatch(/all whole; it answers as when it was installed\.\n$/);
    const segmented = await runCli(['segment', 'no-such.tif', '--pack', 'tiny', '--classes', 'a; b'], {
      env: env(),
    });
    // The pack is found; the scene is not.
    expect(segmented.stderr).toMatch(/no-such\.tif does not exist/);
    const listed = await runCli(['pack', 'list'], { env: env() });
    expect(listed.stdout).toMatch(/^tiny +installed/m);
    const removed = await runCli(['pack', 'remove', 'tiny'], { env: env() });
    expect(removed.code).toBe(0);
    const gone = await runCli(['pack', 'info', 'tiny'], { env: env() });
    expect(gone.code).toBe(1);
  });

  it('installs another precision beside, and a run says which it used', async () => {
    const registry = path.join(home.folder, 'registry.json');
    writeFileSync(registry, JSON.stringify(registryOf()));
    const own = { ...env(), LANDSCRIBE_REGISTRY: registry };
    const installed = await runCli(['pack', 'install', 'tiny', '--precision', 'int8', '--yes', '--json'], {
      env: own,
    });
    expect(JSON.parse(installed.stdout)).toMatchObject({
      precision: 'int8',
      folder: path.join(home.packs, 'tiny-int8'),
    });
    const listed = await runCli(['pack', 'list'], { env: own });
    expect(listed.stdout).toMatch(/^tiny-int8 +installed +a tiny model, int8$/m);
    expect(listed.stdout).toMatch(/^tiny +size not stated/m);
    const verified = await runCli(['pack', 'verify', 'tiny-int8'], { env: own });
    expect(verified.stdout).toMatch(/it answers as when it was installed\.\n$/);
    const scene = path.join(home.folder, 'scene.png');
    await sharp(noise(3 * 120 * 120), { raw: { width: 120, height: 120, channels: 3 } }).toFile(scene);
    const out = path.join(home.folder, 'map.geojson');
    const run = ['segment', scene, '--pack', 'tiny-int8', '--classes', 'a; b', '--templates', 'single'];
    const segmented = await runCli([...run, '--out', out], { env: own });
    expect(segmented.stdout).toMatch(/, int8 on cpu$/m);
    const { provenance } = JSON.parse(readFileSync(out, 'utf8')) as {
      provenance: { settings: Record<string, unknown> };
    };
    expect(provenance.settings.precision).toBe('int8');
    const rebuilt = path.join(home.folder, 'rebuilt');
    const build = ['pack', 'build', '--pack', 'tiny-int8', '--precision', 'float16', '--out', rebuilt];
    const refused = await runCli(build, { env: own });
    expect(refused.stderr).toMatch(/rounded to int8/);
    expect(existsSync(rebuilt)).toBe(false);
  });
});
