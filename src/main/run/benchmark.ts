import path from 'node:path';
import { readBenchmarkSets } from '../../worker/benchmark/sets.ts';
import { Problem } from '../../worker/report/problem.ts';
import type { BenchmarkReply, BenchmarkRequest as TaskRequest } from '../../worker/steps/benchmark.ts';
import { EngineThread } from '../engine/engine-thread.ts';
import { program, version } from '../program.ts';
import type { RunOptions } from './watch.ts';

export type BenchmarkRequest = Omit<TaskRequest, 'program'>;

export interface BenchmarkSummary {
  info: BenchmarkReply;
  text: string;
}

/** Measures a pack on the sets of the papers' tables, in a thread of its own. Throws `Problem`. */
export async function runBenchmark(
  request: BenchmarkRequest,
  { signal, onProgress, onNote }: RunOptions = {},
): Promise<BenchmarkSummary> {
  const thread = new EngineThread('benchmark');
  try {
    const info = await thread.run(
      'benchmark',
      { ...request, program: `${program} ${version}` },
      { signal, onProgress, onNote },
    );
    return { info, text: summaryText(info, request) };
  } finally {
    await thread.close();
  }
}

function summaryText({ results, skipped, failed, table }: BenchmarkReply, { out }: BenchmarkRequest): string {
  const lines: string[] = [];
  if (results.length > 0) lines.push(table.trimEnd(), '', `All results: ${path.join(out, 'results.md')}`);
  for (const { set, reason } of skipped) lines.push(`${set} left out: ${reason}`);
  for (const { set, problem } of failed) lines.push(`${set} failed: ${problem.message} ${problem.hint}`);
  return lines.join('\n');
}

/** The sets, what was published for them, and where their files are looked for. */
export async function describeBenchmarks(): Promise<{ info: object[]; text: string }> {
  const sets = await readBenchmarkSets();
  const text = sets
    .map((set) => {
      const scores = Object.entries(set.published).map(([method, score]) => `${method} ${score}`);
      const places = set.layouts.map(
        ({ name, images, labels, list, confirmed }) =>
          `  ${name}${confirmed ? '' : ' (unconfirmed)'}: ${[images, labels, ...(list === undefined ? [] : [list])].join(' + ')}`,
      );
      return [
        `${set.name} (${set.modality}, ${set.metric}): ${scores.join(', ')}`,
        `  folder: ${set.folders.join(', ')}`,
        ...places,
      ].join('\n');
    })
    .join('\n');
  return { info: sets, text };
}

/** Throws where a run over several sets had failures or found none of them, once its results are out. */
export function requireNoFailure({ results, failed }: BenchmarkReply, { folder }: { folder: string }): void {
  if (failed.length === 0 && results.length === 0)
    throw new Problem(
      'benchmark/nothing-found',
      `None of the sets was found in ${folder}.`,
      'Name the folder that holds the folders of the sets: landscribe benchmark --list says how they are called.',
    );
  if (failed.length === 0) return;
  throw new Problem(
    'benchmark/failed',
    `${failed.length} of the sets failed: ${failed.map(({ set }) => set).join(', ')}.`,
    'Correct what is reported above and run the same command again; finished pictures are kept.',
  );
}
