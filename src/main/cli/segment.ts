import { readFile } from 'node:fs/promises';
import { availableParallelism, totalmem } from 'node:os';
import path from 'node:path';
import { Command, InvalidArgumentError, Option } from 'commander';
import type { ClassEntry } from '../../worker/classmap/class-entry.ts';
import { Problem } from '../../worker/report/problem.ts';
import { type Format, formatNamed } from '../run/formats.ts';
import type { RunOptions, SegmentSummary } from '../run/segment.ts';
import {
  bandList,
  decimal,
  type ExtentArgument,
  examplePlaces,
  extentOf,
  memorySize,
  multilookOf,
  resolutionOf,
  thresholdOf,
  wholeNumber,
} from './arguments.ts';
import type { Console } from './console.ts';
import { packOf } from './pack-choice.ts';

/** Options that a run has in common, whether windows are encoded or their features were stored. */
export interface RunOptionValues {
  classes?: string;
  classesFile?: string;
  example: Record<string, [number, number][]>;
  out?: string;
  format?: Format[];
  overwrite?: boolean;
  extent?: ExtentArgument;
  mode: 'reference' | 'fast';
  lambda: number;
  upsampler?: 'simfeatup';
  templates: 'imagenet';
  threshold: number | number[] | Record<string, number>;
  background?: string;
  threads: number;
  memory: number;
  provider: 'cpu';
  minArea: number;
  simplify: number;
  json?: boolean;
}

export interface EncodingOptionValues extends RadarOptionValues {
  pack?: string;
  bands?: number[];
  resolution?: number | 'native';
  window: number;
  stride: number;
  attention?: 'segearth';
  lastLayers?: number;
}

export interface RadarOptionValues {
  modality?: 'optical' | 'sar';
  recipe?: string;
  calibration?: string;
  noise?: boolean;
  multilook?: { range: number; azimuth: number };
  speckle?: string;
  composite?: string;
}

type SegmentOptions = RunOptionValues & EncodingOptionValues;

const examples = `
Examples:
  landscribe segment scene.tif --pack packs/b16 --classes "building,roof,house; road; water,river" --out result.gpkg
  landscribe segment scene.tif --pack packs/b16 --classes-file classes.txt --out result --format gpkg,geojson,shp,tif
  landscribe segment scene.tif --pack packs/b16 --classes "building; @pool; road" --example "pool=356120,5645310"
  landscribe segment scene.tif --pack packs/b16 --classes "water; land" --background land --threshold water=0.6 \\
      --extent 356000,5645000,357000,5646000 --resolution 0.7 --min-area 20 --simplify 1 --out part.gpkg

Classes are separated by semicolons, words for one class by commas; the first word is its name. Ids start at 1 in the
order given; 0 is unclassified or nodata. Ctrl-C keeps finished strips: the same command resumes.`;

export function segmentCommand(door: Console): Command {
  const command = new Command('segment')
    .description('Turn a scene into polygons of the classes you name.')
    .argument(
      '<scene>',
      'GeoTIFF, JPEG 2000, PNG, JPEG, a Sentinel product, or bands joined by +: red.tif+green.tif+blue.tif',
    );
  promptOptions(command);
  encodingOptions(command.optionsGroup('How to look:'));
  extentOption(command);
  labellingOptions(command);
  resultOptions(command);
  machineOptions(command);
  return command
    .addHelpText('after', examples)
    .action((scene: string, options: SegmentOptions) => segment(door, scene, options));
}

/** The classes and how sure they must be. */
export function promptOptions(command: Command): Command {
  return command
    .optionsGroup('What to look for:')
    .option('--classes <words>', 'classes and their synonyms: "building,roof,house; road; water,river"')
    .option(
      '--classes-file <file>',
      'the same from a file: one class a line, synonyms by commas, # starts a comment',
    )
    .option(
      '--example <name=x,y>',
      'what @name among the words stands for: a place in the scene, in its coordinates; more places by semicolons',
      examplePlaces,
      {},
    )
    .option('--background <name>', 'class that pixels below the threshold fall to (default: they become 0)')
    .option(
      '--threshold <p>',
      'least probability of the winning class, 0 to 1: one, one per class (0.4,0.3), or by name (road=0.4)',
      thresholdOf,
      0,
    )
    .addOption(
      new Option('--templates <set>', 'sentences that each word is read in')
        .choices(['imagenet', 'single', 'remote-sensing'])
        .default('imagenet'),
    );
}

/** What the encoding of a window depends on. */
export function encodingOptions(command: Command): Command {
  command
    .option(
      '--pack <pack>',
      'name of an installed pack, or a folder (default: $LANDSCRIBE_PACK, else the built-in starter)',
    )
    .option(
      '--bands <numbers>',
      'bands taken as red, green, blue, counted from 1 (default: by their roles, else 1,2,3)',
      bandList,
    )
    .option(
      '--resolution <metres>',
      "working resolution in metres per pixel, or native for the scene's own pixels (default: the scene's own, but not finer than the pack was made for)",
      resolutionOf,
    )
    .option(
      '--window <pixels>',
      'side of a window in working pixels; 0 takes the whole scene as one',
      wholeNumber(0),
      224,
    )
    .option('--stride <pixels>', 'step between windows in working pixels', wholeNumber(1), 112)
    .addOption(
      new Option(
        '--attention <variant>',
        "attention of the last layers (default: the pack's, segearth for optical scenes); clip keeps residual and MLP",
      ).choices(['segearth', 'sclip', 'gem', 'clearclip', 'maskclip', 'vanilla', 'clip']),
    )
    .option(
      '--last-layers <count>',
      "layers that use that attention, 1 or 2 (default: the pack's, 1 for optical scenes)",
      wholeNumber(1),
    );
  return radarOptions(command);
}

/** How radar scenes are prepared. */
export function radarOptions(command: Command): Command {
  return command
    .optionsGroup('Radar scenes:')
    .addOption(
      new Option(
        '--modality <kind>',
        'take the scene for this kind, and the encoder for it (default: what the scene says of itself)',
      ).choices(['optical', 'sar']),
    )
    .addOption(
      new Option(
        '--calibration <kind>',
        "backscatter by the product's table (default: sigma0 where it has one)",
      ).choices(['none', 'sigma0', 'beta0', 'gamma0']),
    )
    .option('--noise', 'take thermal noise off (default: where the product tells of it)')
    .option('--no-noise', 'leave thermal noise in')
    .option('--multilook <counts>', 'average pixels: RANGExAZIMUTH, such as 2x2 (default: 1x1)', multilookOf)
    .addOption(
      new Option('--speckle <filter>', 'speckle filter (default: refined-lee)').choices([
        'none',
        'boxcar',
        'lee',
        'refined-lee',
        'frost',
        'gamma-map',
      ]),
    )
    .addOption(
      new Option(
        '--composite <bands>',
        'what is shown to the encoder (default: VV or HH where there is one)',
      ).choices(['all', 'VV', 'VH', 'HH', 'HV', 'ratio', 'false-colour']),
    )
    .option(
      '--recipe <file>',
      'radar recipe or some of its fields, JSON as landscribe info --json prints it',
    );
}

/** What is done with an encoded window. */
export function labellingOptions(command: Command): Command {
  return command
    .addOption(
      new Option(
        '--mode <name>',
        'reference: every window by itself, as the papers do; fast: tokens of overlapping windows merged and upsampled once',
      )
        .choices(['reference', 'fast'])
        .default('reference'),
    )
    .option('--lambda <factor>', 'weight of the global bias alleviation, no unit', decimal(-10, 10), -0.3)
    .addOption(
      new Option(
        '--upsampler <name>',
        'brings features to full resolution (default: what the pack carries)',
      ).choices(['simfeatup', 'featup', 'none']),
    );
}

/** Polygons and files. */
export function resultOptions(command: Command): Command {
  return command
    .optionsGroup('Polygons:')
    .option(
      '--min-area <m2>',
      'merge pieces smaller than this many square metres into a neighbour (pixels without a CRS)',
      decimal(0),
      0,
    )
    .option(
      '--simplify <metres>',
      'simplify shared borders within this many metres (pixels without a CRS)',
      decimal(0),
      0,
    )
    .optionsGroup('Output:')
    .option(
      '--out <name>',
      'base name to which each format adds its ending, or a file name (default: SCENE.classes here)',
    )
    .option(
      '--format <list>',
      'any of gpkg,geojson,shp,tif; tif is the class map and its confidence (default: by the ending of --out, else gpkg,tif)',
      formatList,
    )
    .option('--overwrite', 'replace existing outputs (default: stop)')
    .option('--json', 'print one JSON object about the run on standard output, and no progress');
}

/** What the work may take of the machine. */
export function machineOptions(command: Command): Command {
  return command
    .optionsGroup('Machine:')
    .addOption(
      new Option('--provider <name>', 'what computes: the processor or a graphics card')
        .choices(['cpu', 'webgpu', 'cuda', 'dml', 'coreml'])
        .default('cpu'),
    )
    .addOption(
      new Option('--threads <count>', 'processor threads')
        .argParser(wholeNumber(1))
        .default(availableParallelism(), 'all'),
    )
    .addOption(
      new Option('--memory <size>', 'memory the run may use, such as 4GB or 1500MB')
        .argParser(memorySize)
        .default(Math.floor(totalmem() / 2), "half of this machine's"),
    );
}

export function extentOption(command: Command): Command {
  return command.option(
    '--extent <box>',
    "only this part: XMIN,YMIN,XMAX,YMAX in the scene's CRS, or pixels:COLUMN,ROW,WIDTH,HEIGHT (default: the whole scene)",
    extentOf,
  );
}

async function segment(door: Console, scene: string, options: SegmentOptions): Promise<void> {
  const pack = packOf(options.pack);
  const { createApp } = await import('../app.ts');
  const settings = await runSettings(options);
  const encoding = await encodingSettings(options);
  await showRun(door, options.json ?? false, (watch) =>
    createApp().segment(
      {
        ...settings,
        ...encoding,
        scene,
        pack,
        out: options.out ?? `${path.parse(scene).name}.classes`,
      },
      watch,
    ),
  );
}

/** The request's part that an encoding settles. */
export async function encodingSettings(options: EncodingOptionValues) {
  return {
    modality: options.modality ?? null,
    radar: await radarFields(options),
    bands: options.bands ?? null,
    resolution: options.resolution ?? null,
    window: options.window,
    stride: options.stride,
    attention: options.attention ?? null,
    lastLayers: options.lastLayers ?? null,
  };
}

/** Fields of the radar recipe that were given; null without any. */
export async function radarFields(options: RadarOptionValues): Promise<Record<string, unknown> | null> {
  const { calibration, noise, multilook, speckle, composite } = options;
  const given = Object.entries({ calibration, noise, multilook, speckle, composite }).filter(
    ([, value]) => value !== undefined,
  );
  if (options.recipe === undefined) return given.length === 0 ? null : Object.fromEntries(given);
  let recipe: unknown;
  try {
    recipe = JSON.parse(await readFile(options.recipe, 'utf8'));
  } catch (cause) {
    throw new Problem(
      'prep/bad-recipe',
      `${options.recipe} is not a radar recipe in JSON (${cause instanceof Error ? cause.message : String(cause)}).`,
      'landscribe info SCENE --json prints one, under "radar".',
      cause,
    );
  }
  if (typeof recipe !== 'object' || recipe === null || Array.isArray(recipe)) {
    throw new Problem('prep/bad-recipe', `${options.recipe} holds no object.`, 'Give fields of a recipe.');
  }
  return { ...recipe, ...Object.fromEntries(given) };
}

/** The request's other part. */
export async function runSettings(options: RunOptionValues) {
  const classes = await classesOf(options);
  return {
    classes,
    examples: Object.fromEntries(
      Object.entries(options.example).map(([example, points]) => [example, { points }]),
    ),
    formats: options.format ?? null,
    overwrite: options.overwrite ?? false,
    extent: options.extent ?? null,
    mode: options.mode,
    lambda: options.lambda,
    upsampler: options.upsampler ?? null,
    templates: options.templates,
    threshold: thresholds(options.threshold, classes),
    background: options.background ?? null,
    provider: options.provider,
    threads: options.threads,
    memory: options.memory,
    minArea: options.minArea,
    simplify: options.simplify,
  };
}

/** Runs with progress on the terminal, and prints what came of it. */
export async function showRun(
  door: Console,
  json: boolean,
  run: (watch: RunOptions) => Promise<SegmentSummary>,
): Promise<void> {
  const display = door.display(json);
  try {
    const summary = await run({ signal: door.signal, onProgress: display.report, onNote: display.note });
    display.end();
    if (json) {
      door.print(JSON.stringify(summary));
      return;
    }
    const { summaryText } = await import('./summary.ts');
    door.print(summaryText(summary));
  } finally {
    display.end();
  }
}

async function classesOf(options: RunOptionValues): Promise<ClassEntry[]> {
  if (options.classes !== undefined && options.classesFile !== undefined) {
    throw new Problem('usage', 'Both --classes and --classes-file are given.', 'Give one of them.');
  }
  const { parseClasses, parseClassesFile } = await import('../../worker/classmap/classes.ts');
  if (options.classes !== undefined) return parseClasses(options.classes);
  if (options.classesFile !== undefined) {
    return parseClassesFile(await readFile(options.classesFile, 'utf8'));
  }
  throw new Problem(
    'usage',
    'No classes are given.',
    'Name them, such as --classes "building,roof; road; water".',
  );
}

/** Thresholds by name as a list in the order of the classes; classes not named get 0. */
function thresholds(given: RunOptionValues['threshold'], classes: readonly ClassEntry[]): number | number[] {
  if (typeof given === 'number' || Array.isArray(given)) return given;
  const unknown = Object.keys(given).find((name) => !classes.some((entry) => entry.name === name));
  if (unknown !== undefined) {
    throw new Problem(
      'usage',
      `--threshold names "${unknown}", which is none of the classes.`,
      'Use the names of --classes.',
    );
  }
  return classes.map((entry) => given[entry.name] ?? 0);
}

function formatList(text: string): Format[] {
  return text.split(',').map((part) => {
    const format = formatNamed(part);
    if (!format) throw new InvalidArgumentError(`"${part.trim()}" is none of gpkg, geojson, shp, tif.`);
    return format;
  });
}
