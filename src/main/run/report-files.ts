import { access, constants, stat } from 'node:fs/promises';
import path from 'node:path';
import { Problem } from '../../worker/report/problem.ts';
import { asProblem } from '../../worker/report/problem-record.ts';

/** Checks, before any work, that files can be written at the end of it; null: not asked for. Throws `Problem`. */
export async function checkReportFiles(files: readonly (string | null)[]): Promise<void> {
  for (const file of files) {
    if (file === null) continue;
    const folder = path.dirname(path.resolve(file));
    const [about, existing] = await Promise.all([folder, file].map((each) => stat(each).catch(() => null)));
    if (!about?.isDirectory())
      throw new Problem(
        'output/no-folder',
        `${file}: the folder ${folder} does not exist.`,
        'Create it, or choose another name.',
      );
    if (existing?.isDirectory())
      throw new Problem('output/is-a-folder', `${file}: is a folder.`, 'Name a file.');
    try {
      await access(folder, constants.W_OK);
    } catch (error) {
      throw asProblem(error);
    }
  }
}
