import { readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import * as z from 'zod';
import { manifestFile } from '../../worker/pack/manifest.ts';
import { openPack, verifyPack } from '../../worker/pack/open-pack.ts';
import { Problem } from '../../worker/report/problem.ts';
import type { ReportProgress } from '../../worker/report/progress.ts';
import { EngineThread } from '../engine/engine-thread.ts';
import { type Home, homeOf } from './home.ts';
import { whileLocked } from './lock.ts';
import { plainName, type Registry, readRegistry } from './registry.ts';

/** Beside an installed pack's manifest: where it came from and what it answered. */
export const receiptFile = 'installed.json';

const receipt = z.object({
  name: z.string(),
  title: z.string(),
  installed: z.string(),
  settings: z.object({ attention: z.string(), lastLayers: z.int(), lambda: z.number() }),
  files: z.array(
    z.object({
      role: z.string(),
      url: z.string(),
      sha256: z.string(),
      published: z.boolean(),
      licence: z.string().nullable(),
      stated: z.string(),
    }),
  ),
  smoke: z.object({ textCosines: z.array(z.number()), tokenCosines: z.array(z.number()) }),
});
export type Receipt = z.output<typeof receipt>;

export interface ListedPack {
  name: string;
  title: string;
  /** Folder if it is installed. */
  folder: string | null;
  /** Bytes to download as far as they are known. */
  megabytes: number | null;
  /** As stated at the sources; null where none is. */
  licences: { model: string | null; upsampler?: string | null } | null;
}

/** All packs of the registry, and installed ones besides. */
export async function listPacks(home: Home = homeOf(), given?: Registry): Promise<ListedPack[]> {
  const registry = given ?? (await readRegistry());
  const here = new Set<string>();
  for (const name of await readdir(home.packs).catch(() => [])) {
    if (plainName.test(name) && (await stat(path.join(home.packs, name, manifestFile)).catch(() => null))) {
      here.add(name);
    }
  }
  const folderOf = (name: string) => (here.has(name) ? path.join(home.packs, name) : null);
  const listed = Object.entries(registry.packs).map(([name, pack]): ListedPack => {
    const files = [pack.checkpoint, ...(pack.upsampler ? [pack.upsampler] : []), pack.vocabulary].map(
      (file) => registry.files[file]!,
    );
    const sizes = files.map(({ megabytes, role }) => megabytes ?? (role === 'upsampler' ? 0 : null));
    return {
      name,
      title: pack.title,
      folder: folderOf(name),
      megabytes: sizes.includes(null) ? null : sizes.reduce<number>((sum, size) => sum + size!, 0),
      licences: {
        model: registry.files[pack.checkpoint]!.licence.name,
        ...(pack.upsampler && { upsampler: registry.files[pack.upsampler]!.licence.name }),
      },
    };
  });
  for (const name of here) {
    if (Object.hasOwn(registry.packs, name)) continue;
    const folder = path.join(home.packs, name);
    listed.push({
      name,
      title: (await titleIn(folder)) ?? 'not in the registry',
      folder,
      megabytes: null,
      licences: null,
    });
  }
  return listed;
}

/** What an installed pack is called by its receipt; null where it has none that can be read. */
async function titleIn(folder: string): Promise<string | null> {
  const text = await readFile(path.join(folder, receiptFile), 'utf8').catch(() => null);
  try {
    return text === null ? null : parseReceipt(text, folder).title;
  } catch {
    return null;
  }
}

/**
 * Checks a pack's files against its manifest, and, where it was installed, what it computes against what it computed
 * then. Throws `pack/corrupt`, `pack/smoke`.
 */
export async function verifyInstalled(
  folder: string,
  options: { signal?: AbortSignal | undefined; onProgress?: ReportProgress | undefined } = {},
): Promise<{ files: number; answers: 'as installed' | 'it runs' }> {
  const pack = await openPack(folder);
  await verifyPack(pack, options.signal);
  const text = await readFile(path.join(folder, receiptFile), 'utf8').catch(() => null);
  const recorded = text === null ? null : parseReceipt(text, folder).smoke;
  const thread = new EngineThread('verify');
  try {
    await thread.run('smokePack', { folder, expected: null, recorded }, options);
  } finally {
    await thread.close();
  }
  return {
    files: Object.keys(pack.manifest.files).length,
    answers: recorded ? 'as installed' : 'it runs',
  };
}

function parseReceipt(text: string, folder: string): Receipt {
  try {
    return receipt.parse(JSON.parse(text));
  } catch (cause) {
    throw new Problem(
      'pack/corrupt',
      `${path.join(folder, receiptFile)}: is damaged.`,
      'Install the pack again.',
      cause,
    );
  }
}

/** Removes an installed pack; returns the folder that is gone. Throws `pack/not-installed`. */
export async function removePack(name: string, home: Home = homeOf()): Promise<string> {
  const folder = path.join(home.packs, name);
  if (!plainName.test(name) || !(await stat(folder).catch(() => null))?.isDirectory()) {
    throw new Problem(
      'pack/not-installed',
      `There is no installed pack ${name} in ${home.packs}.`,
      'See landscribe pack list.',
    );
  }
  return whileLocked(home, async () => {
    // It is gone at once, however long deleting takes.
    const aside = path.join(home.packs, `.installing-removed-${name}-${process.pid}`);
    await rename(folder, aside);
    await rm(aside, { recursive: true, force: true });
    return folder;
  });
}
