import { chmod, mkdir, mkdtemp, readdir, rename, rm, stat, statfs, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { Precision } from '../../worker/pack/precision.ts';
import { Problem, throwIfCancelled } from '../../worker/report/problem.ts';
import { EngineThread } from '../engine/engine-thread.ts';
import { type Home, homeOf } from './home.ts';
import { type Receipt, receiptFile } from './installed.ts';
import { whileLocked } from './lock.ts';
import { addressOf, type ObtainOptions, obtain, presentFile } from './obtain.ts';
import {
  fileNameOf,
  ownEntry,
  type PublishedFile,
  type PublishedPack,
  type Registry,
  readRegistry,
} from './registry.ts';

export interface InstallRequest {
  name: string;
  /** A folder with the published files, for machines without network. */
  from: string | null;
  /** Default: $LANDSCRIBE_MIRROR. */
  mirror: string | null;
  /** Entry of another upsampler, `none`, or null for the pack's own. */
  upsampler: string | null;
  /** What the image encoder computes in; default: float32. Others are installed as `NAME-PRECISION`. */
  precision?: Precision;
  overwrite: boolean;
  /** Leaves the downloaded files where they are, for other packs. */
  keepDownloads: boolean;
}

export interface InstallOptions extends Omit<ObtainOptions, 'from' | 'mirror'> {
  /** Asked once before anything is downloaded, with what, from where and under which licence. */
  confirm(text: string): Promise<boolean>;
  home?: Home;
  registry?: Registry;
}

const roles = ['checkpoint', 'upsampler', 'vocabulary'] as const;
type Parts = Record<(typeof roles)[number], PublishedFile | null>;

/**
 * Downloads a published model, converts it, tries it out and puts it among the user's packs, all or nothing; returns
 * its folder. Downloads that were interrupted are kept and resumed. Throws `Problem`.
 */
export async function installPack(request: InstallRequest, options: InstallOptions): Promise<string> {
  const registry = options.registry ?? (await readRegistry());
  const home = options.home ?? homeOf();
  const pack = ownEntry(registry.packs, request.name);
  if (!pack) {
    throw new Problem(
      'pack/unknown',
      `There is no pack ${request.name} to install.`,
      `There are ${Object.keys(registry.packs).join(', ')}.`,
    );
  }
  const { precision = 'float32' } = request;
  const name = precision === 'float32' ? request.name : `${request.name}-${precision}`;
  const target = path.join(home.packs, name);
  const there = await stat(target).catch(() => null);
  if (there && !request.overwrite) {
    throw new Problem(
      'pack/installed',
      `Pack ${name} is installed already in ${target}.`,
      'Use it with --pack, or install it anew with --overwrite.',
    );
  }
  const mirror = request.mirror ?? process.env.LANDSCRIBE_MIRROR ?? null;
  const parts = partsOf(registry, pack, request.upsampler);
  const listed = roles.flatMap((role) => parts[role] ?? []);
  const missing: PublishedFile[] = [];
  for (const entry of listed) if (!(await presentFile(entry, home, request.from))) missing.push(entry);
  const text = describe(request, pack, listed, missing, mirror);
  if (request.from !== null || missing.length === 0) options.onNote?.(text);
  else if (!(await options.confirm(text))) {
    throw new Problem('pack/declined', 'Nothing was downloaded.', 'Give --yes to agree beforehand.');
  }
  return whileLocked(home, async () => {
    await clearRemains(home);
    const files = {} as Record<keyof Parts, Awaited<ReturnType<typeof obtain>> | null>;
    for (const role of roles) {
      throwIfCancelled(options.signal);
      const entry = parts[role];
      files[role] = entry && (await obtain(entry, home, { ...options, from: request.from, mirror }));
    }
    await mkdir(home.packs, { recursive: true });
    await requireRoom(home, files.checkpoint!.path);
    const staging = await mkdtemp(path.join(home.packs, stagingPrefix));
    try {
      await chmod(staging, 0o755);
      const built = path.join(staging, name);
      const smoke = await convert(name, precision, registry, pack, parts, files, built, options);
      const receipt: Receipt = {
        name,
        title: precision === 'float32' ? pack.title : `${pack.title}, ${precision}`,
        installed: new Date().toISOString(),
        settings: pack.settings,
        files: roles.flatMap((role) => {
          const [entry, file] = [parts[role], files[role]];
          if (!entry || !file) return [];
          const { name, stated } = entry.licence;
          return [
            { role, url: entry.url, sha256: file.sha256, published: file.published, licence: name, stated },
          ];
        }),
        smoke,
      };
      await writeFile(path.join(built, receiptFile), `${JSON.stringify(receipt, null, 1)}\n`);
      throwIfCancelled(options.signal);
      await replace(target, built, path.join(staging, 'replaced'));
    } finally {
      await rm(staging, { recursive: true, force: true });
    }
    if (request.from === null && !request.keepDownloads) {
      for (const role of roles) if (files[role]) await rm(files[role].path, { force: true });
    }
    return target;
  });
}

/** Moves `built` to `target`; what was there goes to `aside`, and comes back if that fails. */
async function replace(target: string, built: string, aside: string): Promise<void> {
  const moved = await rename(target, aside).then(
    () => true,
    (error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return false;
      throw error;
    },
  );
  try {
    await rename(built, target);
  } catch (error) {
    if (moved) await rename(aside, target);
    throw error;
  }
}

const stagingPrefix = '.installing-';

/** What a crash of an earlier installation left. */
async function clearRemains(home: Home): Promise<void> {
  for (const name of await readdir(home.packs).catch(() => [])) {
    if (name.startsWith(stagingPrefix)) {
      await rm(path.join(home.packs, name), { recursive: true, force: true });
    }
  }
}

function partsOf(registry: Registry, pack: PublishedPack, upsampler: string | null): Parts {
  const wanted = upsampler === 'none' ? null : (upsampler ?? pack.upsampler);
  const entry = wanted === null ? null : ownEntry(registry.files, wanted);
  if (wanted !== null && entry?.role !== 'upsampler') {
    const known = Object.entries(registry.files).filter(([, { role }]) => role === 'upsampler');
    throw new Problem(
      'pack/unknown',
      `There is no upsampler ${wanted}.`,
      `There are ${known.map(([name]) => name).join(', ')} and none.`,
    );
  }
  return {
    checkpoint: registry.files[pack.checkpoint]!,
    upsampler: entry ?? null,
    vocabulary: registry.files[pack.vocabulary]!,
  };
}

/** What is about to be fetched, for a person to agree to. */
function describe(
  request: InstallRequest,
  pack: PublishedPack,
  listed: PublishedFile[],
  missing: PublishedFile[],
  mirror: string | null,
): string {
  const lines = [`${request.name}: ${pack.title}`, ...(pack.note ? [`  ${pack.note}`] : [])];
  for (const entry of listed) {
    const { licence } = entry;
    lines.push(
      `  ${fileNameOf(entry)}, ${sizeText(entry)}${missing.includes(entry) ? '' : ', here already'}`,
      `    from     ${request.from === null ? addressOf(entry, mirror) : request.from}`,
      `    licence  ${licence.name ?? 'NOT STATED by its publisher: you have no licence unless you ask for one'} (${licence.stated})`,
      ...(licence.note ? [`             ${licence.note}`] : []),
      `    checksum ${entry.checksum.kind === 'recorded' ? 'none published; recorded at the first download' : `${entry.checksum.kind}, published`}`,
      ...(entry.unconfirmed.length > 0 ? [`    unconfirmed: ${entry.unconfirmed.join('; ')}`] : []),
    );
  }
  return lines.join('\n');
}

function sizeText({ bytes, megabytes }: PublishedFile): string {
  const size = bytes === null ? megabytes : bytes / 1e6;
  return size === null
    ? 'size not stated'
    : `${bytes === null ? 'about ' : ''}${size.toFixed(size < 10 ? 1 : 0)} MB`;
}

async function convert(
  name: string,
  precision: Precision,
  registry: Registry,
  pack: PublishedPack,
  parts: Parts,
  files: Record<keyof Parts, { path: string } | null>,
  out: string,
  { signal, onProgress }: InstallOptions,
): Promise<Receipt['smoke']> {
  const thread = new EngineThread('install');
  try {
    await thread.run(
      'buildPack',
      {
        checkpoint: files.checkpoint!.path,
        member: parts.checkpoint!.member ?? null,
        upsampler: files.upsampler?.path ?? null,
        vocabulary: files.vocabulary!.path,
        out,
        name,
        precision,
        activation: pack.activation,
        normalisation: pack.normalisation,
        sar: pack.modality === 'sar',
        defaults: { attention: pack.settings.attention, lastLayers: pack.settings.lastLayers },
        overwrite: false,
      },
      { signal, onProgress },
    );
    return await thread.run(
      'smokePack',
      {
        folder: out,
        expected: {
          geometry: pack.geometry,
          activation: pack.activation,
          tokens: registry.expectations.tokens,
          closer: registry.expectations.closer,
        },
        recorded: null,
      },
      { signal, onProgress },
    );
  } finally {
    await thread.close();
  }
}

/** A half-precision checkpoint doubles as float32; SAR and optical graphs share their weights. */
async function requireRoom(home: Home, checkpoint: string): Promise<void> {
  const needed = 2.2 * (await stat(checkpoint)).size;
  const { bavail, bsize } = await statfs(home.packs);
  if (bavail * bsize >= needed) return;
  throw new Problem(
    'disk/full',
    `${home.packs}: the pack takes up to ${Math.ceil(needed / 1e6)} MB, but only ${Math.floor((bavail * bsize) / 1e6)} MB are free.`,
    'Free some space, or set $LANDSCRIBE_HOME to a folder on another disk; the download is kept.',
  );
}
