import path from 'node:path';
import { Command } from 'commander';
import type { Console } from './console.ts';
import { estimateNote } from './estimate-note.ts';
import { sceneArgument } from './options.ts';
import { packOf } from './pack-choice.ts';
import {
  type EncodingOptionValues,
  encodingOptions,
  encodingSettings,
  extentOption,
  labellingOptions,
  machineOptions,
  promptOptions,
  type RunOptionValues,
  resultOptions,
  runSettings,
} from './run-options.ts';
import { showRun } from './show-run.ts';

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
    .addArgument(sceneArgument());
  promptOptions(command);
  encodingOptions(command.optionsGroup('How to look:'));
  extentOption(command.optionsGroup('How to look:'));
  labellingOptions(command);
  resultOptions(command);
  machineOptions(command);
  return command
    .addHelpText('after', examples)
    .action((scene: string, options: SegmentOptions) => segment(door, scene, options));
}

async function segment(door: Console, scene: string, options: SegmentOptions): Promise<void> {
  const pack = packOf(options.pack);
  const { runSegment } = await import('../run/segment.ts');
  const settings = await runSettings(options);
  const encoding = await encodingSettings(options);
  await showRun(door, options.json, (watch) =>
    runSegment(
      {
        ...settings,
        ...encoding,
        scene,
        pack,
        out: options.out ?? `${path.parse(scene).name}.classes`,
      },
      { ...watch, onWorkload: estimateNote(pack, options.provider, watch) },
    ),
  );
}
