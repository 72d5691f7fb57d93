import { Command } from 'commander';
import { decimal, wholeNumber } from './arguments.ts';
import type { Console } from './console.ts';
import { watched } from './watched.ts';

interface ShiftOptions {
  resolution?: number;
  reach: number;
  json?: boolean;
}

export function shiftCommand(door: Console): Command {
  return new Command('shift')
    .description('Measure how far one scene lies beside another of the same place, radar or optical.')
    .argument('<first>', 'scene that counts as right')
    .argument('<second>', 'scene that is measured')
    .option(
      '--resolution <metres>',
      "pixels that are compared (default: the coarser scene's)",
      decimal(0.001, 10_000),
    )
    .option('--reach <pixels>', 'largest shift looked for along each axis', wholeNumber(1), 32)
    .option('--json', 'print one JSON object instead of text, and no progress')
    .action(async (first: string, second: string, options: ShiftOptions) => {
      const { runShift, shiftText } = await import('../run/shift.ts');
      const { resolution = null, reach, json } = options;
      const shift = await watched(door, json, (watch) =>
        runShift({ first, second, resolution, reach }, watch),
      );
      door.print(json ? JSON.stringify({ first, second, ...shift }) : shiftText(shift, first, second));
    });
}
