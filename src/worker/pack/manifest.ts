import * as z from 'zod';
import { Problem } from '../report/problem.ts';
import { precisions } from './precision.ts';

/** Raised when a reader of the old form would misread the new one. */
export const packVersion = 1;
export const manifestFile = 'manifest.json';

const whole = z.int().min(1).max(1_000_000);
/** A file of the pack: a plain name, so that nothing outside the folder can be meant. */
const fileName = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]*$/);

const tower = { width: whole, layers: whole, heads: whole, hidden: whole };

const encoder = z.object({
  /** Vision graph of every `attention-lastLayers`. */
  graphs: z.record(z.string(), fileName),
  /** What the papers use with this encoder. */
  attention: z.string(),
  lastLayers: z.int().min(1).max(2),
});

const manifest = z.object({
  format: z.literal('landscribe-pack'),
  version: z.literal(packVersion),
  name: z.string().min(1).max(200),
  /** ISO 8601, UTC. */
  created: z.string(),
  /** Files that the pack was built from, with their SHA-256. */
  sources: z.array(z.object({ role: z.string(), file: z.string(), sha256: z.string() })),
  activation: z.enum(['quickgelu', 'gelu']),
  /** How weights are stored that are not whole numbers. */
  storage: z.enum(['float32', 'float16']),
  /**
   * What the image encoders compute in; text and upsampling always in float32. int8: the linear layers' products in
   * whole numbers, the rest in float32.
   */
  precision: z.enum(precisions).default('float32'),
  geometry: z.object({
    embedding: whole,
    vision: z.object({ ...tower, patch: whole, grid: whole, image: whole }),
    text: z.object({ ...tower, context: whole, vocabulary: whole }),
  }),
  /** Of inputs from 0 to 255, red, green, blue. */
  normalisation: z.object({
    mean: z.tuple([z.number(), z.number(), z.number()]),
    deviation: z.tuple([z.number().positive(), z.number().positive(), z.number().positive()]),
  }),
  /** Metres per pixel: scenes finer than this are worked on at this resolution by default. */
  finestResolution: z.number().positive(),
  encoders: z.object({ optical: encoder, sar: encoder.optional() }),
  text: z.object({ graph: fileName, vocabulary: fileName }),
  upsampler: z
    .object({
      kind: z.enum(['jbu_one', 'jbu_stack']),
      projection: fileName,
      logits: fileName,
      features: fileName,
      /** Null in packs of before there were tiles of merged tokens. */
      tile: fileName.nullable().default(null),
    })
    .nullable(),
  /** Words the pack was trained on, by meaning; null for models of open vocabulary. */
  knownWords: z.array(z.array(z.string())).nullable().default(null),
  files: z.record(fileName, z.object({ bytes: z.int().min(0), sha256: z.string().regex(/^[0-9a-f]{64}$/) })),
});

export type Manifest = z.output<typeof manifest>;

/** The manifest in `text`; throws `pack/manifest` naming `path` and the first thing that is wrong. */
export function parseManifest(text: string, path: string): Manifest {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw refusal(path, 'is not JSON', cause);
  }
  const parsed = manifest.safeParse(json);
  if (!parsed.success) {
    const issue = parsed.error.issues[0]!;
    throw refusal(path, `${issue.path.join('.') || 'manifest'}: ${issue.message}`);
  }
  const { files, encoders, text: textTower, upsampler } = parsed.data;
  const named = [
    ...Object.values(encoders).flatMap((one) => (one ? Object.values(one.graphs) : [])),
    ...Object.values(textTower),
    ...(upsampler ? upsamplerGraphs(upsampler) : []),
  ];
  for (const file of named) if (!files[file]) throw refusal(path, `names ${file} but does not list it`);
  return parsed.data;
}

/** File names of an upsampler's graphs. */
export function upsamplerGraphs({
  projection,
  logits,
  features,
  tile,
}: NonNullable<Manifest['upsampler']>): string[] {
  return [projection, logits, features, ...(tile === null ? [] : [tile])];
}

function refusal(path: string, what: string, cause?: unknown): Problem {
  return new Problem(
    'pack/manifest',
    `${path}: ${what}.`,
    'Build or install the pack again; it may be of another version of Landscribe.',
    cause,
  );
}
