import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import * as z from 'zod';
import { attentionNames } from '../net/attention.ts';
import { Problem } from '../report/problem.ts';
import { asProblem } from '../report/problem-record.ts';

/** Class index that stands for pixels which are not counted. */
export const ignored = 255;

const word = z.string().min(1);
const classIndex = z.int().min(0).max(254);
const byte = z.int().min(0).max(255);

/** How a label image's pixels become class indices, 0-based. */
const labelCodes = z.discriminatedUnion('kind', [
  /** Stored values are class indices, 255 is left out; with `reduceZeroLabel` 0 is left out too and 1 is the first class. */
  z.strictObject({ kind: z.literal('values'), reduceZeroLabel: z.boolean() }),
  /** Value i of the list is class i. */
  z.strictObject({
    kind: z.literal('mapped'),
    values: z.array(z.int().min(0).max(65535)).min(1),
    ignore: z.array(z.int().min(0).max(65535)),
  }),
  /** A class by colour; null, and `otherwise` null, are left out. */
  z.strictObject({
    kind: z.literal('colours'),
    colours: z
      .array(z.strictObject({ rgb: z.tuple([byte, byte, byte]), class: classIndex.nullable() }))
      .min(1),
    otherwise: classIndex.nullable(),
  }),
  /** Two classes: grey of at least `from` is the second. */
  z.strictObject({ kind: z.literal('threshold'), from: byte.min(1) }),
]);
export type LabelCodes = z.output<typeof labelCodes>;

const side = z.int().min(1).max(100_000);
const crop = z.strictObject({
  width: side,
  height: side,
  /** Steps from one crop to the next; the last one is shifted back to end at the border. */
  across: side,
  down: side,
  /** Whether pictures smaller than a crop are filled up, black and not counted, at the right and the bottom. */
  pad: z.boolean(),
});
export type CropRule = z.output<typeof crop>;

/** Where a data set keeps pictures and labels. A `*` in the folders is one folder of any name, the same in both. */
const layout = z
  .strictObject({
    name: word,
    images: word,
    /** Endings that are cut off to find the name that picture and labels share; the case of letters does not matter. */
    imageSuffixes: z.array(word).min(1),
    labels: word,
    labelSuffixes: z.array(word).min(1),
    codes: labelCodes,
    /** A file with the names of the pictures to use, one a line. */
    list: word.optional(),
    /** The names of the pictures to use. */
    stems: z.array(word).min(1).optional(),
    crop: crop.optional(),
    source: word,
    /** Whether a published source says all of this. */
    confirmed: z.boolean(),
    note: word.optional(),
  })
  .refine(
    ({ images, labels }) => images.split('*').length <= 2 && images.includes('*') === labels.includes('*'),
    'pictures and labels need the same *, once',
  );
export type Layout = z.output<typeof layout>;

/** Published scores in per cent, by method or encoder; the keys are those of `methods.ts` and of the encoders' table. */
const scores = z.record(z.string(), z.number().min(0).max(100));

const benchmarkSet = z
  .strictObject({
    name: word,
    /** mIoU over all classes, or the IoU of the second class, the foreground. */
    metric: z.enum(['mIoU', 'IoU']),
    published: scores,
    /** Score of a model trained on the set itself. */
    supervisedOracle: z.number().min(0).max(100).nullable(),
    modality: z.enum(['optical', 'sar']),
    encoder: word,
    attention: z.enum(attentionNames),
    lastLayers: z.int().min(1).max(2),
    clsTokenLambda: z.number().min(-10).max(10),
    probabilityThreshold: z.number().min(0).max(1),
    /** Class that pixels below the threshold fall to. */
    background: classIndex,
    /** Pixels of the picture's long side after resizing. */
    longSide: z.int().min(16).max(4096),
    /** 0: the picture as one window. */
    slidingWindow: z.int().min(0).max(4096),
    slidingStride: z.int().min(0).max(4096),
    /** Words of each class. */
    classes: z.array(z.array(word).min(1)).min(2).max(254),
    /** Names that the set's folder may have. */
    folders: z.array(word).min(1),
    /** Tried in this order. */
    layouts: z.array(layout).min(1),
  })
  .superRefine((set, context) => {
    const refuse = (message: string) =>
      context.addIssue({ code: 'custom', message: `${set.name}: ${message}` });
    if (set.background >= set.classes.length) refuse('the background is no class');
    if (set.metric === 'IoU' && set.classes.length !== 2) refuse('a foreground score needs two classes');
    if (set.slidingWindow > 0 && set.slidingStride === 0) refuse('a window needs a stride');
    for (const { codes } of set.layouts) {
      const highest =
        codes.kind === 'mapped'
          ? codes.values.length - 1
          : codes.kind === 'threshold'
            ? 1
            : codes.kind === 'colours'
              ? Math.max(codes.otherwise ?? 0, ...codes.colours.map((entry) => entry.class ?? 0))
              : 0;
      if (highest >= set.classes.length) refuse('a label code is no class');
    }
  });
export type BenchmarkSet = z.output<typeof benchmarkSet>;

const benchmarkFile = z.strictObject({ source: word, sets: z.array(benchmarkSet).min(1) });

/** The settings of the published tables: three floors up from source and built code alike. */
const settingsFile = fileURLToPath(new URL('../../../configs/benchmarks.json', import.meta.url));

/** All benchmark sets of the papers. Throws `Problem` that names the file and the first thing that is wrong. */
export async function readBenchmarkSets(file = settingsFile): Promise<BenchmarkSet[]> {
  let json: unknown;
  try {
    json = JSON.parse(await readFile(file, 'utf8'));
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw asProblem(error);
    throw new Problem('config/json', `${file}: is not JSON.`, 'Correct the file.', error);
  }
  const parsed = benchmarkFile.safeParse(json);
  if (parsed.success) return parsed.data.sets;
  const issue = parsed.error.issues[0]!;
  throw new Problem(
    'config/field',
    `${file}: ${issue.path.join('.')}: ${issue.message}.`,
    'Correct the file.',
  );
}

/** The set of that name; case, spaces and punctuation do not matter. Throws `benchmark/unknown-set`. */
export function findSet(sets: readonly BenchmarkSet[], name: string): BenchmarkSet {
  const plain = (text: string): string => text.toLowerCase().replace(/[^a-z0-9]/g, '');
  const found = sets.find((set) => plain(set.name) === plain(name));
  if (found) return found;
  throw new Problem(
    'benchmark/unknown-set',
    `There is no benchmark set named ${name}.`,
    `Name one of: ${sets.map((set) => set.name).join(', ')}.`,
  );
}
