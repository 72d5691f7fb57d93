import { Problem } from '../../worker/report/problem.ts';
import { asProblem } from '../../worker/report/problem-record.ts';

type Row = readonly [code: string, what: string, hint: string];

/** By the beginning of SQLite's result code (sqlite.org/rescode.html); the first that fits counts. */
const known: readonly (readonly [string, Row])[] = [
  [
    'SQLITE_CORRUPT',
    [
      'project/damaged',
      'the file is damaged',
      'Nothing was written to it. Keep it, and go on from a backup; sqlite3 FILE .recover may save what is left.',
    ],
  ],
  [
    'SQLITE_NOTADB',
    ['project/not-a-project', 'is no GeoPackage', 'Choose a project that Landscribe has saved.'],
  ],
  ['SQLITE_FULL', ['disk/full', 'the disk is full', 'Free some space; nothing saved before is lost.']],
  [
    'SQLITE_BUSY',
    [
      'project/busy',
      'another program is writing to it',
      'Finish or close the edit there (in QGIS), then try again.',
    ],
  ],
  ['SQLITE_READONLY', ['file/read-only', 'may not be written', 'Save the project under another name.']],
  [
    'SQLITE_CANTOPEN',
    ['file/no-permission', 'cannot be opened', 'Check its permissions and those of its folder.'],
  ],
  [
    'SQLITE_PERM',
    ['file/no-permission', 'permission denied', 'Check its permissions and those of its folder.'],
  ],
  ['SQLITE_IOERR', ['disk/failure', 'the disk failed to read or write', 'Check the disk.']],
];

/** A failure of SQLite as a `Problem` that names the file; anything else as `asProblem` sees it. */
export function sqliteProblem(error: unknown, path: string): Problem {
  if (error instanceof Error && error.name === 'SqliteError' && 'code' in error) {
    const code = String(error.code);
    const row = known.find(([prefix]) => code.startsWith(prefix))?.[1];
    if (row) return new Problem(row[0], `${path}: ${row[1]}.`, row[2], error);
  }
  return asProblem(error);
}
