import path from 'node:path';
import { Command, Option } from 'commander';
import { memorySize } from './arguments.ts';
import type { Console } from './console.ts';
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

interface EncodeOptions extends EncodingOptionValues {
  out?: string;
  precision: 'compact' | 'exact';
  coordinates: boolean;
  limit: number;
  threads: number;
  memory: number;
  provider: 'cpu';
  json?: boolean;
}

/** Encodes once; `prompt` then asks as often as wanted. */
export function encodeCommand(door: Console): Command {
  const command = new Command('encode')
    .description('Encode a scene once, so that any words can be asked later without the encoder.')
    .argument(
      '<scene>',
      'GeoTIFF, JPEG 2000, PNG, JPEG, a Sentinel product, or bands joined by +: red.tif+green.tif+blue.tif',
    )
    .option('--out <folder>', 'where the features are stored (default: SCENE.features here)')
    .addOption(
      new Option(
        '--precision <kind>',
        'compact: at most 4 bytes a working pixel; exact: prompts give the very result of segment, for about 30 to 40 bytes',
      )
        .choices(['compact', 'exact'])
        .default('compact'),
    )
    .option(
      '--no-coordinates',
      'store windows only: prompts run the upsampler and give a little more exact results, many times slower',
    )
    .option('--limit <size>', 'bytes that the features may take, such as 20GB', memorySize, 50e9)
    .option('--json', 'print one JSON object on standard output, and no progress');
  machineOptions(encodingOptions(command));
  return command.action(async (scene: string, options: EncodeOptions) => {
    const pack = packOf(options.pack);
    const { runEncode } = await import('../run/features.ts');
    const display = door.display(options.json ?? false);
    try {
      const summary = await runEncode(
        {
          ...(await encodingSettings(options)),
          scene,
          pack,
          out: options.out ?? `${path.parse(scene).name}.features`,
          precision: options.precision,
          // Exact features are stored to be exact.
          coordinates: options.coordinates && options.precision === 'compact',
          limit: options.limit,
          provider: options.provider,
          threads: options.threads,
          memory: options.memory,
        },
        { signal: door.signal, onProgress: display.report, onNote: display.note },
      );
      display.end();
      door.print(
        options.json
          ? JSON.stringify(summary)
          : `${summary.windows} windows, ${(summary.bytes / 1e6).toFixed(1)} MB (${summary.bytesPerPixel.toFixed(2)} bytes a working pixel), ${Math.round(summary.seconds)} s\n  ${summary.folder}\nAsk it: landscribe prompt ${JSON.stringify(summary.folder)} --classes "building; road; water"`,
      );
    } finally {
      display.end();
    }
  });
}

/** Labels a scene from what `encode` stored. */
export function promptCommand(door: Console): Command {
  const command = new Command('prompt')
    .description('Turn an encoded scene into polygons of the classes you name; the encoder does not run.')
    .argument('<features>', 'folder that landscribe encode made');
  promptOptions(command);
  extentOption(command.optionsGroup('How to look:'));
  labellingOptions(command);
  command.addOption(
    new Option(
      '--from <what>',
      'coordinates of the pixels, where they are stored: many times faster; windows: through the upsampler again, as exact as they are stored',
    )
      .choices(['coordinates', 'windows'])
      .default('coordinates'),
  );
  resultOptions(command);
  machineOptions(command);
  return command.action(
    async (folder: string, options: RunOptionValues & { from: 'coordinates' | 'windows' }) => {
      const settings = { ...(await runSettings(options)), from: options.from };
      const { runPrompt } = await import('../run/features.ts');
      const out = options.out ?? `${path.basename(folder).replace(/\.features$/, '')}.classes`;
      await showRun(door, options.json ?? false, (watch) => runPrompt(folder, { ...settings, out }, watch));
    },
  );
}

/** What is stored, and how to be rid of it. */
export function featuresCommand(door: Console): Command {
  return new Command('features')
    .description('Tell about stored features, or remove them.')
    .addCommand(
      new Command('info')
        .description('Scene, pack, settings and size.')
        .argument('<features>', 'folder that landscribe encode made')
        .option('--json', 'print one JSON object instead of text')
        .action(async (folder: string, options: { json?: boolean }) => {
          const { features } = await import('../run/features.ts');
          const { header, finished, bytes, coordinates } = await features(folder);
          door.print(
            options.json
              ? JSON.stringify({ folder, ...header, finished, bytes, coordinates })
              : `${header.scene}\npack ${header.pack}, windows of ${header.identity.window} every ${header.identity.stride} pixels, ${header.precision.kind}\n${finished} of ${header.windows} windows, ${coordinates === 0 ? 'no coordinates' : `coordinates of ${Math.floor(100 * coordinates)} % of the pixels`}, ${(bytes / 1e6).toFixed(1)} MB`,
          );
        }),
    )
    .addCommand(
      new Command('remove')
        .description('Remove stored features; the scene stays.')
        .argument('<features>', 'folder that landscribe encode made')
        .action(async (folder: string) => {
          const { removeFeatures } = await import('../run/features.ts');
          await removeFeatures(folder);
          door.print(`removed ${folder}`);
        }),
    );
}
