import path from 'node:path';
import { Command, Option } from 'commander';
import type { Console } from './console.ts';
import {
  extentOption,
  labellingOptions,
  machineOptions,
  promptOptions,
  type RunOptionValues,
  resultOptions,
  runSettings,
} from './run-options.ts';
import { showRun } from './show-run.ts';

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
      await showRun(door, options.json, (watch) => runPrompt(folder, { ...settings, out }, watch));
    },
  );
}
