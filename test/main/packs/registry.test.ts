import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { homeOf, packFolder } from '../../../src/main/packs/home.ts';
import { addressOf } from '../../../src/main/packs/obtain.ts';
import { fileNameOf, type Registry, readRegistry } from '../../../src/main/packs/registry.ts';

const base = mkdtempSync(path.join(tmpdir(), 'landscribe-registry-'));
afterAll(() => rmSync(base, { recursive: true, force: true }));

const registry = await readRegistry();

describe('the registry', () => {
  it('names every encoder and upsampler of the papers', () => {
    expect(Object.keys(registry.packs).sort()).toEqual(
      [
        'alignearth-sar-b16',
        ...['clip-b16', 'clip-b16-featup', 'clip-b16-featup-maskclip', 'clip-b32', 'clip-l14'],
        ...['georsclip-b32', 'georsclip-h14', 'georsclip-l14', 'metaclip-b16', 'openclip-b16'],
        ...['remoteclip-b32', 'remoteclip-l14', 'skyclip-b32', 'skyclip-l14'],
      ].sort(),
    );
  });

  it("takes OpenAI's checksums from the addresses that carry them", () => {
    for (const name of ['openai-b16', 'openai-b32', 'openai-l14']) {
      const { url, checksum } = registry.files[name]!;
      expect(checksum).toEqual({ kind: 'sha256', value: new URL(url).pathname.split('/').at(-2) });
    }
    expect(registry.files.simfeatup!.checksum).toEqual({
      kind: 'git-blob-sha1',
      value: 'd40f00838331331faa04a926ea5991f5203f91a8',
    });
  });

  it('gives each encoder the activation and settings of the papers', () => {
    for (const [name, { activation, settings, modality, geometry, upsampler }] of Object.entries(
      registry.packs,
    )) {
      expect(activation, name).toBe(/^(clip|metaclip)-/.test(name) ? 'quickgelu' : 'gelu');
      expect(settings, name).toEqual(
        modality === 'sar'
          ? { attention: 'sclip', lastLayers: 2, lambda: -0.3 }
          : { attention: 'segearth', lastLayers: 1, lambda: -0.3 },
      );
      // Heads of 64, but 80 in ViT-H; a published upsampler has 512 channels and doubles four times.
      expect(geometry.width % (name.endsWith('h14') ? 80 : 64), name).toBe(0);
      if (upsampler !== null) expect([geometry.embedding, geometry.patch], name).toEqual([512, 16]);
    }
  });

  it('says where a licence is stated or should be, and what nobody could confirm', () => {
    for (const [name, { licence, unconfirmed, megabytes }] of Object.entries(registry.files)) {
      expect(licence.stated, name).toMatch(/^https:/);
      if (megabytes === null) expect(unconfirmed.join(), name).toContain('size');
    }
    expect(registry.files.simfeatup!.licence.name).toBeNull();
  });

  const broken = (change: (copy: Registry) => void): Promise<Registry> => {
    const copy = structuredClone(registry);
    change(copy);
    const file = path.join(base, 'registry.json');
    writeFileSync(file, JSON.stringify(copy));
    return readRegistry(file);
  };

  it.each<[string, (copy: Registry) => void]>([
    [
      'checkpoint',
      (copy) => {
        copy.packs['clip-b16']!.checkpoint = 'nothing';
      },
    ],
    [
      'upsampler',
      (copy) => {
        copy.packs['clip-b16']!.upsampler = 'openai-b16';
      },
    ],
    [
      'url',
      (copy) => {
        copy.files.simfeatup!.url = 'file:///etc/passwd';
      },
    ],
    [
      'no plain file name',
      (copy) => {
        copy.files.simfeatup!.url = 'https://example.org/%2e%2e%2fx';
      },
    ],
    [
      'value',
      (copy) => {
        copy.files['openai-b16']!.checksum = { kind: 'sha256', value: 'abc' };
      },
    ],
    [
      'ViT-B-32.pt',
      (copy) => {
        copy.files.simfeatup!.url = 'https://example.org/ViT-B-32.pt';
      },
    ],
    ['packs', (copy) => Object.assign(copy.packs, { '../evil': copy.packs['clip-b16'] })],
  ])('is refused with a wrong %s', async (what, change) => {
    await expect(broken(change)).rejects.toMatchObject({
      code: 'registry/invalid',
      message: expect.stringContaining(what),
    });
  });

  it('is refused where it is no JSON', async () => {
    const file = path.join(base, 'no.json');
    writeFileSync(file, '{');
    await expect(readRegistry(file)).rejects.toMatchObject({ code: 'registry/invalid' });
  });
});

describe('mirrors', () => {
  const entry = registry.files['openai-b16']!;
  it('have files by their names, with or without a last slash', () => {
    expect(fileNameOf(entry)).toBe('ViT-B-16.pt');
    for (const mirror of ['https://m.example/models', 'https://m.example/models/']) {
      expect(addressOf(entry, mirror)).toBe('https://m.example/models/ViT-B-16.pt');
    }
    expect(addressOf(entry, null)).toBe(entry.url);
  });
  it.each(['ftp://m.example/', 'models', '/etc'])('are web addresses, not %s', (mirror) => {
    expect(() => addressOf(entry, mirror)).toThrow(expect.objectContaining({ code: 'download/mirror' }));
  });
});

describe('home', () => {
  it('is where the system keeps such things, or where the user says', () => {
    expect(homeOf({ LANDSCRIBE_HOME: '/data/ls' }, 'linux').packs).toBe(path.resolve('/data/ls/packs'));
    expect(homeOf({ XDG_DATA_HOME: '/x' }, 'linux').folder).toBe(path.resolve('/x/landscribe'));
    expect(homeOf({}, 'linux').folder).toMatch(/\.local.share.landscribe$/);
    expect(homeOf({}, 'darwin').folder).toMatch(/Application Support.Landscribe$/);
    expect(homeOf({ LOCALAPPDATA: '/l' }, 'win32').folder).toBe(path.resolve('/l/Landscribe'));
  });

  it('resolves names to installed packs, and leaves folders alone', async () => {
    const env = { LANDSCRIBE_HOME: path.join(base, 'home') };
    const folder = path.join(base, 'home/packs/my-pack');
    mkdirSync(folder, { recursive: true });
    writeFileSync(path.join(folder, 'manifest.json'), '{}');
    expect(await packFolder('my-pack', env)).toBe(folder);
    expect(await packFolder(folder, env)).toBe(folder);
    expect(await packFolder('../my-pack', env)).toBe('../my-pack');
    expect(await packFolder('constructor', env)).toBe('constructor');
    await expect(packFolder('clip-b16', env)).rejects.toMatchObject({
      code: 'pack/not-installed',
      hint: expect.stringContaining('landscribe pack install clip-b16'),
    });
  });
});
