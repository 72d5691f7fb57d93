import { Command, Option } from 'commander';
import { Problem } from '../../worker/report/problem.ts';
import { decimal, wholeNumber } from './arguments.ts';
import type { Console } from './console.ts';
import {
  encoderOption,
  packOption,
  providerOption,
  templatesOption,
  threadsOption,
  upsamplerOption,
} from './options.ts';
import { packOf } from './pack-choice.ts';
import { watched } from './watched.ts';

interface BenchmarkOptions {
  set?: string[];
  all?: boolean;
  list?: boolean;
  data?: string;
  pack?: string;
  method: 'segearth';
  lastLayers?: number;
  upsampler?: 'simfeatup';
  lambda?: number;
  encoder?: 'optical' | 'sar';
  templates: 'imagenet';
  against?: string;
  limit?: number;
  out: string;
  again?: boolean;
  provider: 'cpu';
  threads: number;
  json?: boolean;
}

export function benchmarkCommand(door: Console): Command {
  return new Command('benchmark')
    .description(
      'Measure a pack on the sets of the published tables, beside the published and the supervised scores.',
    )
    .option('--set <name...>', 'sets to measure (benchmark --list names them)')
    .option('--all', 'every set that is found; finished sets are not measured again')
    .option('--list', 'list the sets, their published scores and where their files are looked for')
    .option('--data <folder>', "the set's folder, or one that holds the sets' folders")
    .addOption(packOption())
    .addOption(
      new Option(
        '--method <name>',
        'segearth: as published for the set; the others as SegEarth-OV was compared with them, without upsampler and bias alleviation',
      )
        .choices(['segearth', 'clip', 'maskclip', 'sclip', 'clearclip', 'gem'])
        .default('segearth'),
    )
    .option('--last-layers <count>', "layers that use the attention (default: the method's)", wholeNumber(1))
    .addOption(upsamplerOption("the method's"))
    .option(
      '--lambda <factor>',
      "weight of the global bias alleviation, 0 for none (default: the method's)",
      decimal(-10, 10),
    )
    .addOption(encoderOption("the set's"))
    .addOption(templatesOption())
    .option(
      '--against <name>',
      "published scores to stand beside, such as remoteclip-b32 (default: the method's)",
    )
    .option('--limit <count>', 'only so many pictures of each set, evenly spread', wholeNumber(1))
    .option('--out <folder>', 'folder of results.csv, results.md and unfinished sets', 'landscribe-benchmark')
    .option('--again', 'measure finished sets again')
    .addOption(providerOption())
    .addOption(threadsOption())
    .option('--json', 'print { results, skipped, failed }, and no progress')
    .action((options: BenchmarkOptions) => runCommand(door, options));
}

async function runCommand(door: Console, options: BenchmarkOptions): Promise<void> {
  const { describeBenchmarks, requireNoFailure, runBenchmark } = await import('../run/benchmark.ts');
  if (options.list) {
    const { info, text } = await describeBenchmarks();
    door.print(options.json ? JSON.stringify(info) : text);
    return;
  }
  if ((options.set === undefined) === (options.all === undefined))
    throw new Problem('usage', 'Name sets with --set, or take --all.', 'See landscribe benchmark --help.');
  const { data: folder, json } = options;
  if (folder === undefined)
    throw new Problem('usage', 'No --data folder is given.', 'See landscribe benchmark --help.');
  const { info, text } = await watched(door, json, (watch) =>
    runBenchmark(
      {
        sets: options.set ?? null,
        folder,
        pack: packOf(options.pack),
        method: options.method,
        lastLayers: options.lastLayers ?? null,
        upsampler: options.upsampler ?? null,
        lambda: options.lambda ?? null,
        modality: options.encoder ?? null,
        templates: options.templates,
        against: options.against ?? null,
        limit: options.limit ?? null,
        session: { provider: options.provider, threads: options.threads },
        out: options.out,
        again: options.again ?? false,
      },
      watch,
    ),
  );
  door.print(json ? JSON.stringify(info) : text);
  requireNoFailure(info, { folder });
}
