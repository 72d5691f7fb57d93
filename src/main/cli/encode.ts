import path from 'node:path';
import { Command, Option } from 'commander';
import { memorySize } from './arguments.ts';
import type { Console } from './console.ts';
import { sceneArgument } from './options.ts';
import { packOf } from './pack-choice.ts';
import {
  type EncodingOptionValues,
  encodingOptions,
  encodingSettings,
  machineOptions,
} from './run-options.ts';
import { watched } from './watched.ts';

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
    .addArgument(sceneArgument())
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
    .addOption(
      new Option('--limit <size>', 'bytes that the features may take, such as 20GB')
        .argParser(memorySize)
        .default(50e9, '50GB'),
    )
    .option('--json', 'print one JSON object on standard output, and no progress');
  machineOptions(encodingOptions(command));
  return command.action(async (scene: string, options: EncodeOptions) => {
    const pack = packOf(options.pack);
    const { runEncode } = await import('../run/features.ts');
    const settings = await encodingSettings(options);
    const summary = await watched(door, options.json, (watch) =>
      runEncode(
        {
          ...settings,
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
        watch,
      ),
    );
    door.print(
      options.json
        ? JSON.stringify(summary)
        : `${summary.windows} windows, ${(summary.bytes / 1e6).toFixed(1)} MB (${summary.bytesPerPixel.toFixed(2)} bytes a working pixel), ${Math.round(summary.seconds)} s\n  ${summary.folder}\nAsk it: landscribe prompt ${JSON.stringify(summary.folder)} --classes "building; road; water"`,
    );
  });
}
