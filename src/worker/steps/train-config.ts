import { readFile } from 'node:fs/promises';
import * as z from 'zod';
import { Problem } from '../report/problem.ts';
import { asProblem } from '../report/problem-record.ts';
import { type NamedWeights, weightsInMemory } from '../weights/named-weights.ts';
import { openCheckpoint } from '../weights/open-checkpoint.ts';

export const whole = z.int().min(1);
const pair = z.tuple([z.number().positive(), z.number().positive()]);
const legend = z.array(
  z.strictObject({
    value: z.union([z.int(), z.array(z.int()).readonly()]),
    concepts: z.array(z.string()).readonly().optional(),
    not: z.array(z.string()).readonly().optional(),
    weight: z.number().positive().optional(),
    wide: z.string().optional(),
    like: z.string().optional(),
  }),
);
const share = z.number().positive();
const name = z.string().optional();
/** A set of training pictures. */
export const sourceSchema = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('folder'),
    name,
    path: z.string(),
    share,
    scale: pair,
    legend,
    ignore: z.int().optional(),
    holdOut: z.strictObject({ names: z.array(z.string()).optional(), every: whole.optional() }).optional(),
    mosaic: whole.max(16).optional(),
  }),
  z.strictObject({ kind: z.literal('pictures'), name, path: z.string(), share, scale: pair }),
  z.strictObject({
    kind: z.literal('raster'),
    name,
    image: z.string(),
    labels: z.string(),
    bands: z.tuple([z.int().min(0), z.int().min(0), z.int().min(0)]),
    share,
    scale: pair,
    legend,
  }),
  z.strictObject({
    kind: z.literal('synthetic'),
    name,
    share,
    scale: pair,
    seed: z.int(),
    scenes: whole,
    size: whole.min(64).max(4096),
    industry: z.number().min(0).max(1).optional(),
    rural: z.number().min(0).max(1).optional(),
    varied: z.number().min(0).max(1).optional(),
    resolution: pair,
  }),
]);

/** Steps of every phase, and scenes of every synthetic set, of a recipe that is only tried out. */
const quickCount = 2;

/** The phase cut to its first steps. */
export function quickPhase<Phase extends { steps: number }>(phase: Phase): Phase {
  return { ...phase, steps: Math.min(phase.steps, quickCount) };
}

/** The sets with few synthetic scenes; real pictures are all read, so that each of them is checked. */
export function quickSources<Source extends { kind: string; scenes?: number | undefined }>(
  sources: readonly Source[],
): Source[] {
  return sources.map((source) =>
    source.scenes === undefined ? source : { ...source, scenes: Math.min(source.scenes, quickCount) },
  );
}

/** Reads and checks a training configuration; throws `config/…` problems that name the file and the field. */
export async function readConfig<Config>(file: string, schema: z.ZodType<Config>): Promise<Config> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    throw asProblem(error);
  }
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw new Problem('config/json', `${file}: is not JSON.`, 'Correct the file.', cause);
  }
  const parsed = schema.safeParse(json);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0]!;
  throw new Problem(
    'config/field',
    `${file}: ${issue.path.join('.')}: ${issue.message}.`,
    'Correct the file.',
  );
}

/** A checkpoint's tensors, read into memory under their own names. */
export async function savedWeights(file: string): Promise<NamedWeights> {
  const checkpoint = await openCheckpoint(file);
  try {
    const tensors = new Map<string, { shape: readonly number[]; values: Float32Array }>();
    for (const name of checkpoint.names())
      tensors.set(name, { shape: checkpoint.header(name).shape, values: await checkpoint.read(name) });
    return weightsInMemory(file, tensors);
  } finally {
    await checkpoint.close();
  }
}
