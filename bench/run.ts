/**
 * Runs the benches one after the other, each in a process of its own.
 *
 *   npm run bench              all of them
 *   npm run bench -- window    one, with its options behind the name
 */
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import path from 'node:path';

const folder = import.meta.dirname;
const names = readdirSync(folder)
  .filter((file) => file.endsWith('.ts') && file !== path.basename(import.meta.filename))
  .map((file) => path.basename(file, '.ts'));

const [asked, ...options] = process.argv.slice(2);
if (asked !== undefined && !names.includes(asked)) {
  console.error(`there is no bench "${asked}"; there are ${names.join(', ')}`);
  process.exit(2);
}
let failed = false;
for (const name of asked === undefined ? names : [asked]) {
  console.log(`\n${name}`);
  const { status } = spawnSync(process.execPath, [path.join(folder, `${name}.ts`), ...options], {
    stdio: 'inherit',
  });
  if (status !== 0) failed = true;
}
process.exit(failed ? 1 : 0);
