import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import * as z from 'zod';
import { Problem } from '../../worker/report/problem.ts';

/** `models/registry.json`, two floors up from source and built code alike. */
export const registryFile = fileURLToPath(new URL('../../../models/registry.json', import.meta.url));

/** Names become folders and files. */
export const plainName = /^[a-z0-9][a-z0-9._-]{0,99}$/i;
const name = z.string().regex(plainName);
const whole = z.int().min(1).max(1_000_000);
const webAddress = z.url({ protocol: /^https?$/ });

const checksum = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('sha256'), value: z.string().regex(/^[0-9a-f]{64}$/) }),
  /** Git's name of a file: SHA-1 over `blob LENGTH`, a zero byte and the content. */
  z.strictObject({ kind: z.literal('git-blob-sha1'), value: z.string().regex(/^[0-9a-f]{40}$/) }),
  /** None is published: the first download records its SHA-256, and later ones must match. */
  z.strictObject({ kind: z.literal('recorded') }),
]);

const publishedFile = z.strictObject({
  role: z.enum(['checkpoint', 'upsampler', 'vocabulary']),
  url: webAddress,
  licence: z.strictObject({
    /** As stated at the source; null where none is. */
    name: z.string().min(1).nullable(),
    /** Where it is stated, or should be. */
    stated: webAddress,
    note: z.string().optional(),
  }),
  checksum,
  /** Exact where known. */
  bytes: z.int().min(1).nullable(),
  /** About, where known. */
  megabytes: z.number().positive().nullable(),
  /** The file is a zip archive; this is the name of the file wanted in it, in whatever folder. */
  member: name.optional(),
  /** What this entry says or leaves out that nobody could confirm. */
  unconfirmed: z.array(z.string()),
});

const publishedPack = z.strictObject({
  title: z.string().min(1),
  checkpoint: name,
  upsampler: name.nullable(),
  vocabulary: name,
  modality: z.enum(['optical', 'sar']),
  activation: z.enum(['quickgelu', 'gelu']),
  normalisation: z.strictObject({
    mean: z.tuple([z.number(), z.number(), z.number()]),
    deviation: z.tuple([z.number().positive(), z.number().positive(), z.number().positive()]),
  }),
  /** What the papers use with this encoder. */
  settings: z.strictObject({
    attention: z.enum(['clip', 'vanilla', 'maskclip', 'sclip', 'gem', 'clearclip', 'segearth']),
    lastLayers: z.int().min(1).max(2),
    lambda: z.number(),
  }),
  geometry: z.strictObject({
    patch: whole,
    image: whole,
    width: whole,
    layers: whole,
    embedding: whole,
    textWidth: whole,
    textLayers: whole,
  }),
  note: z.string().optional(),
});

const registry = z.strictObject({
  version: z.literal(1),
  comment: z.string().optional(),
  /** What every pack of this registry must do once built. */
  expectations: z.strictObject({
    /** Ids from start to end token. */
    tokens: z.array(z.strictObject({ prompt: z.string(), ids: z.array(z.int().min(0)) })),
    /** The first prompt's embedding lies closer to the second's than to the third's. */
    closer: z.array(z.tuple([z.string(), z.string(), z.string()])),
  }),
  files: z.record(name, publishedFile),
  packs: z.record(name, publishedPack),
});

export type Registry = z.output<typeof registry>;
export type PublishedFile = z.output<typeof publishedFile>;
export type PublishedPack = z.output<typeof publishedPack>;

/** The registry in a file: $LANDSCRIBE_REGISTRY, else the one that comes with the program. Throws `registry/invalid` that names the file and the first thing that is wrong. */
export async function readRegistry(
  file = process.env.LANDSCRIBE_REGISTRY || registryFile,
): Promise<Registry> {
  let json: unknown;
  try {
    json = JSON.parse(await readFile(file, 'utf8'));
  } catch (cause) {
    throw invalid(file, cause instanceof SyntaxError ? 'is not JSON' : 'cannot be read', cause);
  }
  const parsed = registry.safeParse(json);
  if (!parsed.success) {
    const issue = parsed.error.issues[0]!;
    throw invalid(file, `${issue.path.join('.') || 'registry'}: ${issue.message}`);
  }
  const { files, packs } = parsed.data;
  const kept = Object.values(files).map(fileNameOf);
  const twice = kept.find((fileName, i) => kept.indexOf(fileName) !== i);
  if (twice) throw invalid(file, `two of its addresses end in ${twice}`);
  for (const [packName, pack] of Object.entries(packs)) {
    for (const role of ['checkpoint', 'upsampler', 'vocabulary'] as const) {
      const wanted = pack[role];
      if (wanted !== null && ownEntry(files, wanted)?.role !== role) {
        throw invalid(file, `packs.${packName}.${role}: there is no ${role} ${wanted} among its files`);
      }
    }
  }
  return parsed.data;
}

/** A record's own entry, so that `constructor` is no name. */
export function ownEntry<Value>(record: Record<string, Value>, key: string): Value | undefined {
  return Object.hasOwn(record, key) ? record[key] : undefined;
}

/** The last part of a file's address, under which it is kept, mirrored and looked for. */
export function fileNameOf({ url }: Pick<PublishedFile, 'url'>): string {
  const last = decodeURIComponent(new URL(url).pathname.split('/').at(-1) ?? '');
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]*$/.test(last)) {
    throw invalid('registry', `the address ${url} ends in no plain file name`);
  }
  return last;
}

function invalid(file: string, what: string, cause?: unknown): Problem {
  return new Problem('registry/invalid', `${file}: ${what}.`, 'Install Landscribe again.', cause);
}
