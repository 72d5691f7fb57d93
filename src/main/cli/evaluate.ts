import { Command, InvalidArgumentError } from 'commander';
import { decimal, wholeNumber, wholeNumbers } from './arguments.ts';
import type { Console } from './console.ts';
import { encoderOption, packOption, templatesOption, threadsOption } from './options.ts';
import { packOf } from './pack-choice.ts';
import {
  type LabellingOptionValues,
  labellingOptions,
  labellingSettings,
  type RadarOptionValues,
  radarFields,
  radarOptions,
  readClassesFile,
  type WindowOptionValues,
  windowOptions,
  windowSettings,
} from './run-options.ts';
import { watched } from './watched.ts';

interface EvaluateOptions extends WindowOptionValues, LabellingOptionValues, RadarOptionValues {
  pack?: string;
  images: string;
  labels: string;
  classesFile: string;
  labelValues?: number[];
  ignore?: number;
  part?: [number, number, number, number];
  encoder?: 'optical' | 'sar';
  scale: number;
  baseline?: boolean | string;
  csv?: string;
  picture?: string;
  out?: string;
  threads: number;
  json?: boolean;
}

export function evaluateCommand(door: Console): Command {
  const command = new Command('evaluate')
    .description(
      'Measure a pack on labelled pictures: IoU of every class, mean IoU, pixel accuracy, confusion.',
    )
    .addOption(packOption())
    .requiredOption('--images <folder>', 'pictures')
    .requiredOption(
      '--labels <folder>',
      'label images of the same names, PNG or TIFF: value i is class i of the file',
    )
    .requiredOption(
      '--classes-file <file>',
      'one class a line, synonyms by commas; the first line is label value 0',
    )
    .option(
      '--label-values <numbers>',
      'label value of each class in the order of the file, such as 1,2,4 (default: 0,1,2,…)',
      wholeNumbers,
    )
    .option('--ignore <value>', 'label value that is left out', wholeNumber(0))
    .option(
      '--part <shares>',
      'count only this part of each picture: LEFT,TOP,RIGHT,BOTTOM from 0 to 1, such as 0.7,0,1,1 for its right 30 %',
      partOf,
    )
    .option('--scale <factor>', 'picture pixels per working pixel: 1 is native, 2 half', decimal(0, 64), 1)
    .option(
      '--baseline [folder]',
      'compare with the majority class and the nearest mean colour, fitted to the images/ and labels/ of a folder (default: to the pictures measured, which flatters them)',
    );
  labellingOptions(windowOptions(command))
    .addOption(encoderOption("by the pictures' kind"))
    .addOption(templatesOption())
    .option('--csv <file>', 'write the confusion matrix as CSV')
    .option('--picture <file>', 'draw the confusion matrix as PNG')
    .option('--out <file>', 'write the scores as JSON')
    .addOption(threadsOption())
    .option('--json', 'print { mIoU, pixelAccuracy, classes } as fractions, and no progress');
  return radarOptions(command).action((options: EvaluateOptions) => evaluate(door, options));
}

/** `0.7,0,1,1`. */
function partOf(text: string): [number, number, number, number] {
  const shares = text.split(',').map(decimal(0, 1));
  if (shares.length !== 4) throw new InvalidArgumentError('Give four shares: LEFT,TOP,RIGHT,BOTTOM.');
  return shares as [number, number, number, number];
}

async function evaluate(door: Console, options: EvaluateOptions): Promise<void> {
  const { parseClassesFile } = await import('../../worker/classmap/classes.ts');
  const classes = parseClassesFile(await readClassesFile(options.classesFile));
  const { runEvaluate } = await import('../run/evaluate.ts');
  const radar = await radarFields(options);
  const result = await watched(door, options.json, (watch) =>
    runEvaluate(
      {
        images: options.images,
        labels: options.labels,
        labelValues: options.labelValues ?? null,
        ignore: options.ignore ?? null,
        part: options.part ?? null,
        encoder: options.encoder ?? null,
        scale: options.scale,
        segment: {
          pack: packOf(options.pack),
          classes,
          modality: options.modality ?? null,
          radar,
          ...windowSettings(options),
          ...labellingSettings(options),
          threads: options.threads,
        },
        baseline: options.baseline
          ? { training: typeof options.baseline === 'string' ? options.baseline : null }
          : null,
        csv: options.csv ?? null,
        json: options.out ?? null,
        picture: options.picture ?? null,
      },
      watch,
    ),
  );
  door.print(options.json ? JSON.stringify(result.info) : result.text);
}
