import { link, readFile, rm, writeFile } from 'node:fs/promises';
import { isAlive } from './is-alive.ts';

/** The living process that has claimed something by the file `lock`; null where there is none. */
export async function claimantOf(lock: string): Promise<number | null> {
  const pid = Number(await readFile(lock, 'utf8').catch(() => ''));
  return pid > 0 && isAlive(pid) ? pid : null;
}

/**
 * Claims something for this process by the file `lock`, and once more if it has it already: null, or the process that
 * has it and lives. Of several that ask together one gets it. Throws the system's error.
 */
export async function claim(lock: string): Promise<number | null> {
  const own = `${lock}.${process.pid}`;
  await writeFile(own, String(process.pid));
  try {
    while (!(await linked(own, lock))) {
      const other = await claimantOf(lock);
      if (other !== null) return other === process.pid ? null : other;
      await rm(lock, { force: true });
    }
    return null;
  } finally {
    await rm(own, { force: true });
  }
}

/** Whether `lock` has come into being as a second name of `file`, whole and at once; false where there is one. */
async function linked(file: string, lock: string): Promise<boolean> {
  try {
    await link(file, lock);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    // Some file systems of sticks and shares have no links, and each says so in its own way.
    return writeFile(lock, String(process.pid), { flag: 'wx' }).then(
      () => true,
      (failure: NodeJS.ErrnoException) => {
        if (failure.code === 'EEXIST') return false;
        throw failure;
      },
    );
  }
}
