import path from 'node:path';
import type { Manifest } from '../../worker/pack/manifest.ts';
import { openPack } from '../../worker/pack/open-pack.ts';
import { upsamplerName } from '../../worker/pack/upsampler.ts';
import { Problem } from '../../worker/report/problem.ts';
import { type Home, packFolder } from '../packs/home.ts';
import { listPacks } from '../packs/installed.ts';
import { ownEntry, plainName, readRegistry } from '../packs/registry.ts';
import { starterPack } from '../packs/starter.ts';
import type { Pack } from '../rpc/packs.ts';

/** The manifest of an installed pack, or of the one that comes with the program. Throws `pack/…`. */
export async function packFacts(
  name: string,
  home: Home,
): Promise<Manifest & { folder: string; checksum: string }> {
  const folder = await folderOfPack(name, home);
  const { manifest, checksum } = await openPack(folder);
  return { ...manifest, folder, checksum };
}

/** Packs are named, never pathed, by the screen. Throws `pack/not-installed`. */
export async function folderOfPack(name: string, home: Home): Promise<string> {
  if (!plainName.test(name))
    throw new Problem('pack/unknown', `There is no pack ${name}.`, 'Choose one of the list.');
  const folder = await packFolder(name, { ...process.env, LANDSCRIBE_HOME: home.folder });
  if (!path.isAbsolute(folder))
    throw new Problem(
      'pack/not-installed',
      `Pack ${name} is not installed.`,
      'Choose or install another pack.',
    );
  return folder;
}

/** The pack that comes with the program, installed ones, and those that can be installed. */
export async function describePacks(home: Home): Promise<Pack[]> {
  const registry = await readRegistry();
  const listed = (await listPacks(home)).map(async ({ name, title, folder, megabytes }): Promise<Pack> => {
    const published = ownEntry(registry.packs, name);
    const files = published
      ? [published.checkpoint, ...(published.upsampler ? [published.upsampler] : []), published.vocabulary]
      : [];
    const licences = files.map((file) => {
      const { role, licence } = registry.files[file]!;
      return { part: role, licence: licence.name, url: licence.stated };
    });
    const manifest = folder ? (await openPack(folder).catch(() => null))?.manifest : null;
    const common = { name, title, embedded: false, megabytes, licences };
    if (manifest) return { ...common, ...installedFacts(manifest) };
    return {
      ...common,
      installed: false,
      knownWords: [],
      modalities: [published?.modality ?? 'optical'],
      upsampler: published?.upsampler ? 'simfeatup' : null,
      finestResolution: null,
      precision: 'float32',
    };
  });
  const starter = await openPack(starterPack).catch(() => null);
  const packs = await Promise.all(listed);
  const ranked = packs.sort((a, b) => Number(b.installed) - Number(a.installed));
  if (!starter) return ranked;
  return [
    {
      name: 'starter',
      title: 'Starter: small, works at once, knows common land cover',
      embedded: true,
      megabytes: null,
      licences: [],
      ...installedFacts(starter.manifest),
    },
    ...ranked.filter(({ name }) => name !== 'starter'),
  ];
}

function installedFacts(manifest: Manifest) {
  return {
    installed: true,
    knownWords: manifest.knownWords?.map(([first]) => first!) ?? [],
    modalities: ['optical' as const, ...(manifest.encoders.sar ? ['sar' as const] : [])],
    upsampler: upsamplerName(manifest),
    finestResolution: manifest.finestResolution,
    precision: manifest.precision,
  };
}
