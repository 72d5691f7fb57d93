import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

/** Path of Electron's binary, as its package notes it once it is fetched; null where it is not. */
export function electronBinary(
  folder = path.dirname(createRequire(import.meta.url).resolve('electron/package.json')),
): string | null {
  const noted = path.join(folder, 'path.txt');
  if (!existsSync(noted)) return null;
  const binary = path.join(folder, 'dist', readFileSync(noted, 'utf8').trim());
  return existsSync(binary) ? binary : null;
}

const entry = fileURLToPath(new URL('../../dist/main/electron.js', import.meta.url));

async function start(): Promise<void> {
  const binary = electronBinary();
  if (binary === null) {
    process.stdout.write(
      'Electron’s binary is not here (npx install-electron fetches it): opening the browser door.\n',
    );
    await import('./serve.ts');
    return;
  }
  if (!existsSync(entry)) {
    process.stderr.write('The desktop is not built: run npm run build.\n');
    process.exitCode = 1;
    return;
  }
  const child = spawn(binary, [entry, ...process.argv.slice(2)], { stdio: 'inherit' });
  child.on('exit', (code) => {
    process.exitCode = code ?? 1;
  });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await start();
