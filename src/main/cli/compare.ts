import { Command } from 'commander';
import { Problem } from '../../worker/report/problem.ts';
import type { Console } from './console.ts';
import { watched } from './watched.ts';

interface CompareOptions {
  class?: string;
  secondClass?: string;
  out?: string;
  overwrite?: boolean;
  json?: boolean;
}

export function compareCommand(door: Console): Command {
  return new Command('compare')
    .description('Tell where two class maps say different things, with areas.')
    .argument('<first>', 'class map whose grid counts')
    .argument('<second>', 'class map of the same place; its nearest pixels are taken')
    .option('--class <name>', 'look at this class alone: where both, only the first, only the second have it')
    .option('--second-class <name>', 'what the second map calls it (default: the same)')
    .option('--out <file>', 'GeoTIFF of the differences (default: none, only the table)')
    .option('--overwrite', 'replace an existing file (default: stop)')
    .option('--json', 'print one JSON object instead of a table, and no progress')
    .action(async (first: string, second: string, options: CompareOptions) => {
      if (options.secondClass !== undefined && options.class === undefined)
        throw new Problem(
          'usage',
          '--second-class is given without --class.',
          'Name the class of the first map, too.',
        );
      const { differenceText, runCompare } = await import('../run/compare.ts');
      const { class: className = null, secondClass: secondClassName = null, out, overwrite } = options;
      const found = await watched(door, options.json, (watch) =>
        runCompare(
          { first, second, className, secondClassName, out: out ?? null, overwrite: overwrite ?? false },
          watch,
        ),
      );
      door.print(options.json ? JSON.stringify({ first, second, ...found }) : differenceText(found));
    });
}
