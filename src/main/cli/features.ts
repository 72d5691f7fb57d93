import { Command } from 'commander';
import type { Console } from './console.ts';

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
          const { removeStored } = await import('../run/features.ts');
          await removeStored(folder);
          door.print(`removed ${folder}`);
        }),
    );
}
