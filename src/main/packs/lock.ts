import { mkdir, open, readFile, rm } from 'node:fs/promises';
import path from 'node:path';
import { Problem } from '../../worker/report/problem.ts';
import { asProblem } from '../../worker/report/problem-record.ts';
import { isAlive } from '../engine/is-alive.ts';
import type { Home } from './home.ts';

/** Runs `work` while no other process installs into or removes from this home. Throws `pack/in-use`. */
export async function whileLocked<Result>(home: Home, work: () => Promise<Result>): Promise<Result> {
  const lock = path.join(home.folder, 'lock');
  await mkdir(home.folder, { recursive: true }).catch((error) => {
    throw asProblem(error);
  });
  for (let tries = 0; ; tries++) {
    try {
      const handle = await open(lock, 'wx');
      await handle.writeFile(String(process.pid));
      await handle.close();
      break;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw asProblem(error);
      const other = Number(await readFile(lock, 'utf8').catch(() => ''));
      if (tries > 0 || (other > 0 && isAlive(other))) {
        throw new Problem(
          'pack/in-use',
          `${home.folder}: process ${other} is installing or removing a pack now.`,
          `Wait for it, or delete ${lock} if there is no such process.`,
        );
      }
      await rm(lock, { force: true });
    }
  }
  try {
    return await work();
  } finally {
    await rm(lock, { force: true });
  }
}
