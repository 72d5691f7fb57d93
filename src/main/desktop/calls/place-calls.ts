import { mkdir, readdir, stat } from 'node:fs/promises';
import { homedir } from 'node:os';
import path from 'node:path';
import { Problem } from '../../../worker/report/problem.ts';
import { asProblem } from '../../../worker/report/problem-record.ts';
import type { Entry } from '../../rpc/places.ts';
import type { Desktop } from '../desktop.ts';
import { calls } from './base.ts';

const sceneEndings = /\.(tiff?|png|jpe?g|jp2|j2k|safe|zip)$/i;
/** A folder of more entries is shown in part. */
const mostEntries = 5000;

export function placeCalls(desktop: Desktop) {
  return {
    list: calls.places.list.handler(async ({ input }) => {
      if (input.folder === null)
        return { folder: null, parent: null, entries: await startingPlaces(desktop) };
      const folder = await desktop.allowed.check(input.folder);
      const entries = await entriesOf(folder);
      const parent = path.dirname(folder);
      const canGoUp = parent !== folder && (await desktop.allowed.allows(parent));
      return { folder, parent: canGoUp ? parent : null, entries };
    }),
    makeFolder: calls.places.makeFolder.handler(async ({ input }) => {
      const { name } = input;
      if (name !== path.basename(name) || name === '.' || name === '..' || /[\0/\\]/.test(name))
        throw new Problem('place/bad-name', `${name}: is no name for a folder.`, 'Leave out slashes.');
      const made = path.join(await desktop.allowed.check(input.folder), name);
      try {
        await mkdir(made);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'EEXIST')
          throw new Problem('place/exists', `${made}: exists already.`, 'Choose another name.');
        throw asProblem(error);
      }
      return { path: made };
    }),
  };
}

async function startingPlaces(desktop: Desktop): Promise<Entry[]> {
  const { allowed, recent } = desktop;
  const usual = allowed.roots ?? [
    homedir(),
    ...['Documents', 'Downloads', 'Desktop'].map((name) => path.join(homedir(), name)),
    path.parse(homedir()).root,
  ];
  const recentFolders = (await recent.read())
    .filter((each) => !desktop.isUntitled(each.path))
    .map((each) => path.dirname(each.path));
  const entries: Entry[] = [];
  for (const folder of new Set([...usual, ...recentFolders.slice(0, 5)])) {
    if (!(await allowed.allows(folder))) continue;
    const about = await stat(folder).catch(() => null);
    if (about?.isDirectory())
      entries.push({
        name: path.basename(folder) || folder,
        path: folder,
        kind: 'folder',
        bytes: null,
        modified: about.mtime.toISOString(),
      });
  }
  return entries;
}

/** Folders first, then files, both by name; hidden ones are left out. */
async function entriesOf(folder: string): Promise<Entry[]> {
  let names: string[];
  try {
    names = (await readdir(folder)).filter((name) => !name.startsWith('.')).slice(0, mostEntries);
  } catch (error) {
    throw asProblem(error);
  }
  const entries = await Promise.all(
    names.map(async (name): Promise<Entry | null> => {
      const full = path.join(folder, name);
      const about = await stat(full).catch(() => null);
      if (!about || !(about.isDirectory() || about.isFile())) return null;
      const isProduct = about.isDirectory() && /\.safe$/i.test(name);
      const kind = isProduct
        ? 'scene'
        : about.isDirectory()
          ? 'folder'
          : /\.gpkg$/i.test(name)
            ? 'project'
            : sceneEndings.test(name)
              ? 'scene'
              : 'file';
      const bytes = about.isDirectory() ? null : about.size;
      return { name, path: full, kind, bytes, modified: about.mtime.toISOString() };
    }),
  );
  const collator = new Intl.Collator('en', { numeric: true, sensitivity: 'base' });
  return entries
    .filter((entry) => entry !== null)
    .sort(
      (a, b) => Number(b.kind === 'folder') - Number(a.kind === 'folder') || collator.compare(a.name, b.name),
    );
}
