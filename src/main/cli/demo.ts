import { existsSync } from 'node:fs';
import { Command } from 'commander';
import { starterPack } from '../packs/starter.ts';
import { wholeNumber } from './arguments.ts';
import type { Console } from './console.ts';
import { watched } from './watched.ts';

interface DemoOptions {
  out: string;
  seed: number;
  size: number;
  pack?: string;
  overwrite?: boolean;
  json?: boolean;
}

export function demoCommand(door: Console): Command {
  return new Command('demo')
    .description(
      'Make a synthetic scene, segment it, and show where the results lie. Needs no data and no network.',
    )
    .option('--out <folder>', 'folder of the scene and the results', 'landscribe-demo')
    .option('--seed <number>', 'which scene', wholeNumber(0), 2)
    .option('--size <pixels>', 'side of the scene in pixels of 0.5 m', wholeNumber(64), 768)
    .option(
      '--pack <folder>',
      'model pack, or random for one of random weights (default: the built-in starter)',
    )
    .option('--json', 'print one JSON object about the run, and no progress')
    .action(async (options: DemoOptions) => {
      const { runDemo } = await import('../run/demo.ts');
      const { out, seed, size, json } = options;
      const result = await watched(door, json, (watch) =>
        runDemo({ out, seed, size, pack: demoPack(options.pack) }, watch),
      );
      const { demoText } = await import('./summary.ts');
      door.print(json ? JSON.stringify(result) : demoText(result));
    });
}

/** Null: random weights, also where no pack came with the program. */
function demoPack(option: string | undefined): string | null {
  if (option !== undefined) return option === 'random' ? null : option;
  return existsSync(starterPack) ? starterPack : null;
}
