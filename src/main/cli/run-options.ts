import { readFile } from 'node:fs/promises';
import { totalmem } from 'node:os';
import { type Command, InvalidArgumentError, Option } from 'commander';
import type { ClassEntry } from '../../worker/classmap/class-entry.ts';
import { Problem } from '../../worker/report/problem.ts';
import { asProblem } from '../../worker/report/problem-record.ts';
import { type Format, formatNamed } from '../run/formats.ts';
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
} from './arguments.ts';
import {
  attentionOption,
  lambdaOption,
  lastLayersOption,
  modeOption,
  packOption,
  providerOption,
  strideOption,
  templatesOption,
  threadsOption,
  upsamplerOption,
  windowOption,
} from './options.ts';

/** Options that a run has in common, whether windows are encoded or their features were stored. */
export interface RunOptionValues extends LabellingOptionValues {
  classes?: string;
  classesFile?: string;
  example: Record<string, [number, number][]>;
  out?: string;
  format?: Format[];
  overwrite?: boolean;
  extent?: ExtentArgument;
  threshold: number | number[] | Record<string, number>;
  background?: string;
  threads: number;
  memory: number;
  provider: 'cpu';
  minArea: number;
  simplify: number;
  json?: boolean;
}

/** How encoded windows become labels. */
export interface LabellingOptionValues {
  mode: 'reference' | 'fast';
  lambda: number;
  upsampler?: 'simfeatup';
  templates: 'imagenet';
}

export interface EncodingOptionValues extends WindowOptionValues, RadarOptionValues {
  pack?: string;
  bands?: number[];
  resolution?: number | 'native';
}

/** How windows lie, and how they are encoded. */
export interface WindowOptionValues {
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

/** The classes and how sure they must be. */
export function promptOptions(command: Command): Command {
  return command
    .optionsGroup('What to look for:')
    .option('--classes <words>', 'classes and their synonyms: "building,roof,house; road; water,river"')
    .option(
      '--classes-file <file>',
      'the same from a file: one class a line, synonyms by commas, # starts a comment',
    )
    .addOption(
      new Option(
        '--example <name=x,y>',
        'what @name among the words stands for: a place in the scene, in its coordinates; more places by semicolons',
      )
        .argParser(examplePlaces)
        .default({}, 'none'),
    )
    .option('--background <name>', 'class that pixels below the threshold fall to (default: they become 0)')
    .option(
      '--threshold <p>',
      'least probability of the winning class, 0 to 1: one, one per class (0.4,0.3), or by name (road=0.4)',
      thresholdOf,
      0,
    )
    .addOption(templatesOption());
}

/** What the encoding of a window depends on. */
export function encodingOptions(command: Command): Command {
  command
    .addOption(packOption())
    .option(
      '--bands <numbers>',
      'bands taken as red, green, blue, counted from 1 (default: by their roles, else 1,2,3)',
      bandList,
    )
    .option(
      '--resolution <metres>',
      "working resolution in metres per pixel, or native for the scene's own pixels (default: the scene's own, but not finer than the pack was made for)",
      resolutionOf,
    );
  return radarOptions(windowOptions(command));
}

export function windowOptions(command: Command): Command {
  return command
    .addOption(windowOption())
    .addOption(strideOption())
    .addOption(attentionOption())
    .addOption(lastLayersOption());
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
  return command.addOption(modeOption()).addOption(lambdaOption()).addOption(upsamplerOption());
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
    .addOption(providerOption())
    .addOption(threadsOption())
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

/** The request's part that an encoding settles. */
export async function encodingSettings(options: EncodingOptionValues) {
  return {
    modality: options.modality ?? null,
    radar: await radarFields(options),
    bands: options.bands ?? null,
    resolution: options.resolution ?? null,
    ...windowSettings(options),
  };
}

export function windowSettings({ window, stride, attention, lastLayers }: WindowOptionValues) {
  return { window, stride, attention: attention ?? null, lastLayers: lastLayers ?? null };
}

export function labellingSettings({ mode, lambda, upsampler, templates }: LabellingOptionValues) {
  return { mode, lambda, upsampler: upsampler ?? null, templates };
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
    ...labellingSettings(options),
    threshold: thresholds(options.threshold, classes),
    background: options.background ?? null,
    provider: options.provider,
    threads: options.threads,
    memory: options.memory,
    minArea: options.minArea,
    simplify: options.simplify,
  };
}

async function classesOf(options: RunOptionValues): Promise<ClassEntry[]> {
  if (options.classes !== undefined && options.classesFile !== undefined) {
    throw new Problem('usage', 'Both --classes and --classes-file are given.', 'Give one of them.');
  }
  const { parseClasses, parseClassesFile } = await import('../../worker/classmap/classes.ts');
  if (options.classes !== undefined) return parseClasses(options.classes);
  if (options.classesFile !== undefined) {
    return parseClassesFile(await readClassesFile(options.classesFile));
  }
  throw new Problem(
    'usage',
    'No classes are given.',
    'Name them, such as --classes "building,roof; road; water".',
  );
}

/** The text of a classes file. Throws `Problem` that names it. */
export async function readClassesFile(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    throw asProblem(error, file);
  }
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
  return classes.map(({ name }) => (Object.hasOwn(given, name) ? given[name]! : 0));
}

function formatList(text: string): Format[] {
  return text.split(',').map((part) => {
    const format = formatNamed(part);
    if (!format) throw new InvalidArgumentError(`"${part.trim()}" is none of gpkg, geojson, shp, tif.`);
    return format;
  });
}
