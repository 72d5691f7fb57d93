import { createHash } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { labelPicture } from '../benchmark/label-picture.ts';
import { measureSet, setScore } from '../benchmark/measure-set.ts';
import { type MethodName, type MethodSettings, methodSettings } from '../benchmark/methods.ts';
import { appendResult, type ResultRow, readResults, resultsMarkdown } from '../benchmark/results.ts';
import { type FoundSet, findSamples } from '../benchmark/samples.ts';
import { type BenchmarkSet, findSet, readBenchmarkSets } from '../benchmark/sets.ts';
import type { ClassEntry } from '../classmap/class-entry.ts';
import { decisionRule } from '../classmap/decide.ts';
import { storageProblem } from '../classmap/storage-problem.ts';
import type { Scores } from '../evaluate/confusion.ts';
import { PackScorer } from '../infer/pack-scorer.ts';
import type { SessionOptions } from '../infer/session.ts';
import { embedWords } from '../infer/words.ts';
import type { TemplateSetName } from '../net/templates.ts';
import { checkKnownWords } from '../pack/known-words.ts';
import { openPack, type Pack, verifyPack } from '../pack/open-pack.ts';
import { type UpsamplerName, upsampleAsked, upsamplerName } from '../pack/upsampler.ts';
import { Problem, throwIfCancelled } from '../report/problem.ts';
import { asProblem, type ProblemRecord, toRecord } from '../report/problem-record.ts';
import type { TaskContext } from './task-context.ts';

export interface BenchmarkRequest {
  /** Names of sets; null: all that are found below `folder`. */
  sets: readonly string[] | null;
  /** The set's folder, or one that holds the sets' folders under one of their names. */
  folder: string;
  pack: string;
  method: MethodName;
  /** What differs from the method's own settings. */
  lastLayers: number | null;
  upsampler: UpsamplerName | 'none' | null;
  lambda: number | null;
  modality: 'optical' | 'sar' | null;
  templates: TemplateSetName;
  /** Column of the published scores to compare with; null: the method's. */
  against: string | null;
  /** Only so many pictures of each set, evenly spread; null: all. */
  limit: number | null;
  session: SessionOptions;
  /** Folder of the results. */
  out: string;
  /** Measures sets again that are in the results already. */
  again: boolean;
  /** Name and version of the program. */
  program: string;
}

export interface BenchmarkReply {
  results: ResultRow[];
  /** Sets that were not measured because their pictures or the pack's parts are not there. */
  skipped: { set: string; reason: string }[];
  /** Sets that failed. */
  failed: { set: string; problem: ProblemRecord }[];
  /** The results as Markdown. */
  table: string;
}

/** Raised when a change of the computation makes earlier results another thing. */
const revision = 1;

/** Reasons to leave a set out of a run over all. */
const excuses = new Set([
  'benchmark/no-data',
  'pack/unknown-word',
  'pack/no-sar',
  'pack/no-variant',
  'pack/no-upsampler',
]);

/** Problems that every other set would meet, too. */
const endsAll = /^(cancelled|internal|disk\/|provider\/|pack\/corrupt|system\/)/;

/**
 * Measures a pack on sets of the papers' tables and adds the scores to the results. A set that is in the results with
 * the same settings, pack and pictures is not measured again; one that was interrupted goes on. Named sets throw their
 * problem; in a run over all, the others go on.
 */
export async function benchmark(request: BenchmarkRequest, context: TaskContext): Promise<BenchmarkReply> {
  const all = await readBenchmarkSets();
  const sets = request.sets === null ? all : request.sets.map((name) => findSet(all, name));
  const known = new Set(all.flatMap((set) => Object.keys(set.published)));
  if (request.against !== null && !known.has(request.against)) {
    throw new Problem(
      'benchmark/against',
      `Nothing was published under ${request.against}.`,
      `Compare with one of: ${[...known].join(', ')}.`,
    );
  }
  const pack = await openPack(request.pack);
  await verifyPack(pack, context.signal);
  await mkdir(request.out, { recursive: true }).catch((error) => {
    throw storageProblem(error, request.out);
  });
  await readResults(request.out);
  const reply: BenchmarkReply = { results: [], skipped: [], failed: [], table: '' };
  for (const set of sets) {
    throwIfCancelled(context.signal);
    try {
      reply.results.push(await benchmarkSet(set, pack, request, context));
    } catch (error) {
      const problem = asProblem(error);
      if (request.sets !== null || endsAll.test(problem.code)) throw problem;
      if (excuses.has(problem.code)) {
        reply.skipped.push({ set: set.name, reason: problem.message });
      } else {
        reply.failed.push({ set: set.name, problem: toRecord(problem) });
        context.note(`${set.name} failed: ${problem.message}`);
      }
    }
  }
  reply.table = resultsMarkdown(reply.results);
  return reply;
}

async function benchmarkSet(
  set: BenchmarkSet,
  pack: Pack,
  request: BenchmarkRequest,
  { signal, report, note }: TaskContext,
): Promise<ResultRow> {
  const named = set.folders.map((folder) => path.join(request.folder, folder));
  const roots = request.sets === null ? named : [request.folder, ...named];
  const found = limited(await findSamples(set, roots, signal), request.limit);
  const settings = methodSettings(request.method, set, {
    lastLayers: request.lastLayers,
    upsample: upsampleAsked(request.upsampler, pack.manifest),
    lambda: request.lambda,
    modality: request.modality,
  });
  const bare = request.upsampler === null && settings.upsample && pack.manifest.upsampler === null;
  if (bare) settings.upsample = false;
  const words = set.classes.flat();
  checkKnownWords(pack.manifest, words);
  const run = runKey(set, found, settings, pack, request);
  const earlier = request.again
    ? undefined
    : (await readResults(request.out)).findLast((row) => row.run === run);
  if (earlier) {
    note(`${set.name} is in the results already.`);
    return earlier;
  }
  const classes = classEntries(set);
  const rule = decisionRule(classes, set.probabilityThreshold, classes[set.background]!.name);
  const embeddings = await embedWords(pack, words, request.templates, request.session.threads, signal);
  const scorer = await PackScorer.open(pack, embeddings, settings, request.session);
  if (bare) note(`Pack ${pack.manifest.name} has no upsampler: ${set.name} is measured without.`);
  if (!found.layout.confirmed) {
    note(
      `${set.name}: where its files lie and what its label values mean is not published; read in the layout "${found.layout.name}".${found.layout.note ? ` ${found.layout.note}` : ''}`,
    );
  }
  try {
    const measured = await measureSet(
      set,
      found,
      (picture, stop) =>
        labelPicture(
          picture,
          scorer,
          {
            longSide: set.longSide,
            window: set.slidingWindow,
            stride: set.slidingStride,
            normalisation: pack.manifest.normalisation,
            rule,
          },
          stop,
        ),
      path.join(request.out, 'partial', `${set.name}-${run}.ndjson`),
      report,
      signal,
    );
    const scores = measured.confusion.scores();
    const row = resultRow(set, found, settings, pack, request, run, scores, measured.pictures);
    await appendResult(request.out, row);
    await measured.finished();
    return row;
  } finally {
    await scorer.close();
  }
}

function limited(found: FoundSet, limit: number | null): FoundSet {
  const { samples } = found;
  if (limit === null || limit >= samples.length) return found;
  return {
    ...found,
    samples: Array.from({ length: limit }, (_, i) => samples[Math.floor((i * samples.length) / limit)]!),
  };
}

function classEntries(set: BenchmarkSet): ClassEntry[] {
  return set.classes.map((words, index) => ({
    id: index + 1,
    name: words[0]!,
    words: [...words],
    colour: '#808080',
  }));
}

/** 16 hexadecimal digits that stand for everything that determines a set's score, but the contents of its files. */
function runKey(
  set: BenchmarkSet,
  { layout, samples }: FoundSet,
  settings: MethodSettings,
  pack: Pack,
  request: BenchmarkRequest,
): string {
  const { name, classes, probabilityThreshold, background, longSide, slidingWindow, slidingStride } = set;
  const decisive = {
    revision,
    name,
    classes,
    probabilityThreshold,
    background,
    longSide,
    slidingWindow,
    slidingStride,
    settings,
    layout: { codes: layout.codes, crop: layout.crop ?? null },
    samples: samples.map((sample) => sample.name),
    templates: request.templates,
    pack: pack.checksum,
    method: request.method,
    against: request.against,
  };
  return createHash('sha256').update(JSON.stringify(decisive)).digest('hex').slice(0, 16);
}

function resultRow(
  set: BenchmarkSet,
  { layout }: FoundSet,
  settings: MethodSettings,
  pack: Pack,
  request: BenchmarkRequest,
  run: string,
  scores: Scores,
  pictures: number,
): ResultRow {
  const score = setScore(set, scores);
  const against = request.against ?? request.method;
  const published = set.published[against];
  return {
    date: new Date().toISOString(),
    set: set.name,
    metric: set.metric,
    score: score === null ? '' : score.toFixed(1),
    published: published === undefined ? '' : published.toFixed(1),
    against,
    supervised: set.supervisedOracle === null ? '' : set.supervisedOracle.toFixed(1),
    pictures: String(pictures),
    method: request.method,
    attention: settings.attention,
    'last layers': String(settings.lastLayers),
    upsampler: (settings.upsample && upsamplerName(pack.manifest)) || 'none',
    lambda: String(settings.lambda),
    encoder: settings.modality,
    templates: request.templates,
    threshold: String(set.probabilityThreshold),
    'long side': String(set.longSide),
    window: String(set.slidingWindow),
    stride: String(set.slidingStride),
    pack: pack.manifest.name,
    'pack checksum': pack.checksum,
    layout: layout.name,
    'class IoU': scores.classes
      .map(({ name, iou }) => `${name} ${iou === null ? '-' : (100 * iou).toFixed(1)}`)
      .join('; '),
    program: request.program,
    run,
  };
}
