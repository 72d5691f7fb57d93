import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { storageProblem } from '../classmap/storage-problem.ts';
import { Problem } from '../report/problem.ts';

/** Columns of the results, in the order of the file. Scores are in per cent. */
const columns = [
  'date',
  'set',
  'metric',
  'score',
  'published',
  'against',
  'supervised',
  'pictures',
  'method',
  'attention',
  'last layers',
  'upsampler',
  'lambda',
  'encoder',
  'templates',
  'threshold',
  'long side',
  'window',
  'stride',
  'pack',
  'pack checksum',
  'layout',
  'class IoU',
  'program',
  'run',
] as const;
type Column = (typeof columns)[number];

/** One measured set; empty text where there is no value. */
export type ResultRow = Record<Column, string>;

const csvName = 'results.csv';
const markdownName = 'results.md';

/** The rows of an earlier run; none where there is no file. Throws `benchmark/results` for another file. */
export async function readResults(folder: string): Promise<ResultRow[]> {
  const file = path.join(folder, csvName);
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw storageProblem(error, file);
  }
  const [header, ...rows] = parseCsv(text);
  if (header?.join() !== columns.join() || rows.some((row) => row.length !== columns.length)) {
    throw new Problem(
      'benchmark/results',
      `${file} is no table of this version's results.`,
      'Give another folder with --out, or move the file away.',
    );
  }
  return rows.map((row) => Object.fromEntries(columns.map((name, i) => [name, row[i]!])) as ResultRow);
}

/** Adds a row to `results.csv` and writes `results.md` anew; each file is replaced whole. */
export async function appendResult(folder: string, row: ResultRow): Promise<void> {
  const rows = [...(await readResults(folder)), row];
  await mkdir(folder, { recursive: true });
  await replaceFile(path.join(folder, csvName), resultsCsv(rows));
  await replaceFile(path.join(folder, markdownName), `# Benchmarks\n\n${resultsMarkdown(rows)}`);
}

async function replaceFile(file: string, text: string): Promise<void> {
  const fresh = `${file}.${process.pid}.new`;
  try {
    await writeFile(fresh, text, { flush: true });
    await rename(fresh, file);
  } catch (error) {
    throw storageProblem(error, file);
  }
}

/** RFC 4180. */
function resultsCsv(rows: readonly ResultRow[]): string {
  const cell = (text: string): string => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
  return [columns, ...rows.map((row) => columns.map((name) => row[name]))]
    .map((line) => `${line.map(cell).join(',')}\r\n`)
    .join('');
}

/** A table for people: what was measured beside what was published. */
export function resultsMarkdown(rows: readonly ResultRow[]): string {
  const header = ['set', 'metric', 'score', 'published', 'difference', 'supervised', 'pictures', 'run'];
  const lines = rows.map((row) => [
    row.set,
    row.metric,
    row.score || '-',
    row.published === '' ? '-' : `${row.published}${row.against === row.method ? '' : ` (${row.against})`}`,
    row.published === '' || row.score === '' ? '-' : signed(Number(row.score) - Number(row.published)),
    row.supervised || '-',
    row.pictures,
    `${row.method}, ${row.attention} ${row['last layers']}, upsampler ${row.upsampler}, λ ${row.lambda}, ${row.pack} (${row.encoder})`,
  ]);
  const all = [header, ...lines].map((line) => line.map((cell) => cell.replaceAll('|', '\\|')));
  const widths = header.map((_, i) => Math.max(3, ...all.map((line) => [...line[i]!].length)));
  const numeric = new Set([2, 3, 4, 5, 6]);
  const print = (line: readonly string[]): string =>
    `| ${line
      .map((cell, i) => {
        const space = ' '.repeat(widths[i]! - [...cell].length);
        return numeric.has(i) ? space + cell : cell + space;
      })
      .join(' | ')} |\n`;
  const rule = widths.map(
    (width, i) => '-'.repeat(numeric.has(i) ? width - 1 : width) + (numeric.has(i) ? ':' : ''),
  );
  return print(all[0]!) + print(rule) + all.slice(1).map(print).join('');
}

function signed(difference: number): string {
  return `${difference < 0 ? '-' : '+'}${Math.abs(difference).toFixed(1)}`;
}

/** Rows of cells (RFC 4180). */
function parseCsv(text: string): string[][] {
  const rows: string[][] = [];
  let row: string[] = [];
  let at = 0;
  while (at < text.length) {
    let cell = '';
    if (text[at] === '"') {
      at++;
      for (;;) {
        const end = text.indexOf('"', at);
        if (end < 0) return [];
        cell += text.slice(at, end);
        at = end + 1;
        if (text[at] !== '"') break;
        cell += '"';
        at++;
      }
    } else {
      const end = /[,\r\n]|$/.exec(text.slice(at))!.index + at;
      cell = text.slice(at, end);
      at = end;
    }
    row.push(cell);
    if (text[at] === ',') {
      at++;
      if (at < text.length) continue;
      row.push('');
    }
    while (text[at] === '\r' || text[at] === '\n') at++;
    rows.push(row);
    row = [];
  }
  return rows;
}
