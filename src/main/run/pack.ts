import type { Manifest } from '../../worker/pack/manifest.ts';
import { openPack, verifyPack } from '../../worker/pack/open-pack.ts';
import type { Precision } from '../../worker/pack/precision.ts';
import { upsamplerName } from '../../worker/pack/upsampler.ts';
import type { BuildPackRequest } from '../../worker/steps/build-pack.ts';
import type { RebuildPackRequest } from '../../worker/steps/rebuild-pack.ts';
import { EngineThread } from '../engine/engine-thread.ts';
import { packFolder } from '../packs/home.ts';
import { type InstallRequest, installPack } from '../packs/install.ts';
import { type ListedPack, listPacks, removePack, verifyInstalled } from '../packs/installed.ts';
import type { RunOptions } from './watch.ts';

/** A pack as `pack info` tells it. */
export interface PackInfo extends Omit<Manifest, 'files'> {
  folder: string;
  /** SHA-256 of the manifest, which holds the digests of all other files. */
  checksum: string;
  files: number;
  bytes: number;
}

/** Builds a pack in a thread of its own, from checkpoint files or from a pack's weights. */
export async function buildPackInThread(
  request: BuildPackRequest | RebuildPackRequest,
  { signal, onProgress }: RunOptions = {},
): Promise<{ info: PackInfo; text: string }> {
  const thread = new EngineThread('pack');
  try {
    if ('pack' in request) {
      const pack = await packFolder(request.pack);
      await thread.run('rebuildPack', { ...request, pack }, { signal, onProgress });
    } else await thread.run('buildPack', request, { signal, onProgress });
  } finally {
    await thread.close();
  }
  return describePack(request.out, { signal });
}

/** What the manifest of a folder or an installed pack says, once all its files are known to be whole. */
export async function describePack(
  asked: string,
  { signal }: RunOptions = {},
): Promise<{ info: PackInfo; text: string }> {
  const folder = await packFolder(asked);
  const pack = await openPack(folder);
  await verifyPack(pack, signal);
  const { files, ...manifest } = pack.manifest;
  const info: PackInfo = {
    ...manifest,
    folder,
    checksum: pack.checksum,
    files: Object.keys(files).length,
    bytes: Object.values(files).reduce((sum, { bytes }) => sum + bytes, 0),
  };
  return { info, text: packText(info) };
}

export interface PackInstallOptions extends RunOptions {
  /** Asked before anything is downloaded. */
  confirm(text: string): Promise<boolean>;
}

/** Installs a published pack among the user's own; returns what its manifest says. */
export async function runPackInstall(
  request: InstallRequest,
  options: PackInstallOptions,
): Promise<{ info: PackInfo; text: string }> {
  return describePack(await installPack(request, options), options);
}

/** What can be installed, and what is. */
export async function describePacks(): Promise<{ info: ListedPack[]; text: string }> {
  const info = await listPacks();
  const width = Math.max(...info.map(({ name }) => name.length));
  const lines = info.map(({ name, title, folder, megabytes, licences }) => {
    const size = megabytes === null ? 'size not stated' : `about ${megabytes.toFixed(0)} MB`;
    const own = licences ? `; licence: ${licences.model ?? 'not stated'}` : '';
    const upsampler =
      licences?.upsampler === undefined ? '' : `, of the upsampler: ${licences.upsampler ?? 'not stated'}`;
    const state = folder === null ? size : 'installed';
    return `${name.padEnd(width)}  ${state.padEnd(15)}  ${title}${own}${upsampler}`;
  });
  return { info, text: lines.join('\n') };
}

/** Checks a pack's files and tries it out. */
export async function runPackVerify(
  asked: string,
  options: RunOptions = {},
): Promise<{ info: { folder: string; files: number; answers: string }; text: string }> {
  const folder = await packFolder(asked);
  const found = await verifyInstalled(folder, options);
  const text = `${folder}: ${found.files} files, all whole; ${
    found.answers === 'as installed' ? 'it answers as when it was installed' : 'it runs'
  }.`;
  return { info: { folder, ...found }, text };
}

export async function runPackRemove(name: string): Promise<{ info: { folder: string }; text: string }> {
  const folder = await removePack(name);
  return { info: { folder }, text: `${folder} is removed.` };
}

const precisionText: Record<Precision, string> = {
  float32: 'float32',
  float16: 'float16, meant for graphics cards',
  int8: 'int8 products in the image encoder, for processors',
};

function packText(info: PackInfo): string {
  const { vision, text, embedding } = info.geometry;
  const upsamplers = { simfeatup: 'SimFeatUp', featup: 'FeatUp' };
  const upsampler = upsamplerName(info);
  const attentions = Object.keys(info.encoders.optical.graphs).join(', ');
  const rows: [string, string][] = [
    ['name', info.name],
    ['folder', info.folder],
    ['created', info.created],
    [
      'encoder',
      `ViT, patch ${vision.patch} px, image ${vision.image} px, width ${vision.width}, ${vision.layers} layers, ${vision.heads} heads, ${info.activation}`,
    ],
    ['text', `width ${text.width}, ${text.layers} layers, ${text.vocabulary} tokens`],
    ['embedding', `${embedding} values`],
    [
      'attention',
      `${attentions} (default ${info.encoders.optical.attention}-${info.encoders.optical.lastLayers})`,
    ],
    ['upsampler', upsampler ? upsamplers[upsampler] : 'none'],
    ['SAR', info.encoders.sar ? 'yes' : 'no'],
    ['precision', precisionText[info.precision]],
    ['weights', info.precision === 'int8' ? `int8 and ${info.storage}` : info.storage],
    ['finest', `${info.finestResolution} m per working pixel by default`],
    ['size', `${(info.bytes / 1e6).toFixed(1)} MB in ${info.files} files, all whole`],
    ['checksum', info.checksum],
    ...(info.knownWords ?? []).map(([first, ...synonyms]): [string, string] => [
      'knows',
      [first, ...synonyms].join(', '),
    ]),
    ...info.sources.map(({ role, file }): [string, string] => ['from', `${role} ${file}`]),
  ];
  return rows.map(([name, value]) => `${name.padEnd(10)} ${value}`).join('\n');
}
