import { availableParallelism, totalmem } from 'node:os';
import * as z from 'zod';
import { exampleNamed } from '../../worker/classmap/class-words.ts';
import { decisionRule } from '../../worker/classmap/decide.ts';
import { Problem } from '../../worker/report/problem.ts';
import { planWindows } from '../../worker/tile/plan.ts';
import { formats } from './formats.ts';

/** Attention variants of the dense encoder. */
export const attentions = ['segearth', 'sclip', 'gem', 'clearclip', 'maskclip', 'vanilla', 'clip'] as const;
export const upsamplers = ['simfeatup', 'featup', 'none'] as const;
export const templateSets = ['imagenet', 'single', 'remote-sensing'] as const;
export const providers = ['cpu', 'webgpu', 'cuda', 'dml', 'coreml'] as const;

export const modes = ['reference', 'fast'] as const;

const vector = z.array(z.number()).min(1).max(65_536);
const fraction = z.number().min(0).max(1);
const name = z.string().trim().min(1).max(200);

/** A part of the scene: a box in the scene's CRS (`crs`) or half-open in its pixels (`pixels`). */
const extent = z.discriminatedUnion('unit', [
  z.object({
    unit: z.literal('crs'),
    box: z.tuple([z.number(), z.number(), z.number(), z.number()]),
  }),
  z.object({
    unit: z.literal('pixels'),
    box: z.tuple([z.int().min(0), z.int().min(0), z.int().min(1), z.int().min(1)]),
  }),
]);

/** What `segment` may be asked, with the papers' values as defaults. */
const segmentRequest = z.strictObject({
  scene: z.string().min(1),
  pack: z.string().min(1),
  classes: z
    .array(
      z.object({
        id: z.int().min(1).max(65535),
        name: name.max(1000),
        words: z.array(z.string().min(1).max(1000)).min(1),
        colour: z.string().regex(/^#[0-9a-f]{6}$/i),
      }),
    )
    .min(1)
    .max(65535),
  /** What `@name` among the words stands for: places in the scene to look like, or what was made of such before. */
  examples: z
    .record(
      name,
      z.union([
        z.strictObject({
          points: z
            .array(z.tuple([z.number(), z.number()]))
            .min(1)
            .max(1000),
        }),
        z.strictObject({ feature: vector, direction: vector }),
      ]),
    )
    .default({}),
  out: z.string().min(1),
  formats: z.array(z.enum(formats)).nullable().default(null),
  overwrite: z.boolean().default(false),
  /** 1-based; null: red, green and blue where the scene says so, else the first three, else the first thrice. */
  bands: z.array(z.int().min(1)).min(1).max(3).nullable().default(null),
  /** Metres per pixel; null: the scene's own, but not finer than the pack's finest. */
  resolution: z
    .union([z.literal('native'), z.number().positive()])
    .nullable()
    .default(null),
  /** null: what the scene says of itself. */
  modality: z.enum(['optical', 'sar']).nullable().default(null),
  /** Fields of the radar recipe that are not to be those proposed for the scene. */
  radar: z.record(z.string(), z.unknown()).nullable().default(null),
  extent: extent.nullable().default(null),
  /** Working pixels; 0: the whole scene as one window. */
  window: z.int().min(0).max(4096).default(224),
  stride: z.int().min(1).max(4096).default(112),
  /** null: the pack's own (segearth and 1 for optical scenes). */
  attention: z.enum(attentions).nullable().default(null),
  lastLayers: z.int().min(1).max(2).nullable().default(null),
  /** reference: window by window, as the papers do; fast: tokens of overlapping windows merged, upsampled once. */
  mode: z.enum(modes).default('reference'),
  lambda: z.number().min(-10).max(10).default(-0.3),
  /** null: what the pack carries. */
  upsampler: z.enum(upsamplers).nullable().default(null),
  templates: z.enum(templateSets).default('imagenet'),
  /** One probability, or one per class in their order. */
  threshold: z.union([fraction, z.array(fraction)]).default(0),
  /** Name of the class that pixels below the threshold fall to; null: they become 0. */
  background: name.nullable().default(null),
  /** Folder of stored features to label instead of encoding; its settings must be these. */
  features: z.string().min(1).nullable().default(null),
  /** Of stored features: `coordinates` of the pixels where there are any, else `windows` through the upsampler. */
  from: z.enum(['coordinates', 'windows']).default('coordinates'),
  provider: z.enum(providers).default('cpu'),
  threads: z.int().min(1).max(1024).default(availableParallelism()),
  /** Bytes. */
  memory: z
    .number()
    .min(256e6)
    .default(Math.floor(totalmem() / 2)),
  /** Square metres; pixels² without a CRS. */
  minArea: z.number().min(0).default(0),
  /** Metres; pixels without a CRS. */
  simplify: z.number().min(0).default(0),
});

export type SegmentRequest = z.output<typeof segmentRequest>;
export type SegmentInput = z.input<typeof segmentRequest>;

/** The request with its defaults filled in, or a `Problem` that names the first setting that is wrong. */
export function checkSegmentRequest(input: SegmentInput): SegmentRequest {
  const parsed = segmentRequest.safeParse(input);
  if (!parsed.success) {
    const issue = parsed.error.issues[0]!;
    const setting = issue.path.join('.') || 'request';
    throw new Problem('request/invalid', `${setting}: ${issue.message}.`, 'See landscribe segment --help.');
  }
  const request = parsed.data;
  for (const word of request.classes.flatMap((entry) => entry.words)) {
    const example = exampleNamed(word);
    if (example === null || Object.hasOwn(request.examples, example)) continue;
    throw new Problem(
      'classes/no-example',
      `The classes name the example ${word}, and there is none of that name.`,
      `Give it with --example "${example}=X,Y", or draw it on the map.`,
    );
  }
  if (request.mode === 'fast' && request.features !== null) {
    throw new Problem(
      'request/invalid',
      'mode: stored features are labelled in the reference mode.',
      'Leave out the fast mode: prompts of stored features are faster still.',
    );
  }
  // Both throw what is wrong with the settings; the engine computes them again from the scene.
  planWindows(request.window || 1, request.window || 1, request.window, request.stride);
  decisionRule(request.classes, request.threshold, request.background);
  return request;
}
