import { stat } from 'node:fs/promises';
import path from 'node:path';
import { Problem } from '../../worker/report/problem.ts';
import type { MapDifference } from '../../worker/steps/map-difference.ts';
import { EngineThread } from '../engine/engine-thread.ts';
import { program, version } from '../program.ts';
import { checkReportFiles } from './report-files.ts';
import type { RunOptions } from './watch.ts';

export interface CompareInput {
  first: string;
  second: string;
  /** Name or id; null: all classes. */
  className?: string | null;
  /** Its name or id in the second map, where that is another one. */
  secondClassName?: string | null;
  /** GeoTIFF to write; null: none. */
  out?: string | null;
  overwrite?: boolean;
}

/** Where two class maps say different things, in a thread of its own. */
export async function runCompare(input: CompareInput, options: RunOptions = {}): Promise<MapDifference> {
  const { first, second, className = null, secondClassName = null, overwrite = false } = input;
  const out = input.out ? path.resolve(input.out) : null;
  if (out !== null) {
    if ([first, second].some((map) => path.resolve(map) === out))
      throw new Problem('output/is-input', `${out} is one of the maps compared.`, 'Give --out another name.');
    await checkReportFiles([out]);
    if (!overwrite && (await stat(out).catch(() => null)))
      throw new Problem('output/exists', `${out} exists already.`, 'Give --overwrite, or another name.');
  }
  const thread = new EngineThread('compare');
  try {
    const { signal, onProgress } = options;
    return await thread.run(
      'mapDifference',
      { first, second, className, secondClassName, out, program, version },
      { signal, onProgress },
    );
  } finally {
    await thread.close();
  }
}

/** The area table in words: the legend, then every pair of classes. */
export function differenceText({ legend, pairs, areaUnit, outside }: MapDifference): string {
  const area = (value: number): string =>
    areaUnit === 'pixels'
      ? `${value} pixels`
      : value < 1e6
        ? `${Math.round(value)} m²`
        : `${(value / 1e6).toFixed(4)} km²`;
  const rows = [
    ...legend.map((entry) => [entry.name, '', area(entry.area)]),
    ['', '', ''],
    ['First', 'Second', 'Area'],
    ...pairs.map((pair) => [pair.firstName, pair.secondName, area(pair.area)]),
  ];
  const widths = [0, 1, 2].map((column) => Math.max(...rows.map((row) => row[column]!.length)));
  const lines = rows.map(([one, two, size]) =>
    `${one!.padEnd(widths[0]!)}  ${two!.padEnd(widths[1]!)}  ${size!.padStart(widths[2]!)}`.trimEnd(),
  );
  if (outside > 0) lines.push('', `${outside} pixels lie outside the second map.`);
  return lines.join('\n');
}
