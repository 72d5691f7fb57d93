import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

const root = path.resolve(import.meta.dirname, '../../..');

export interface Door {
  /** With the token. */
  url: string;
  origin: string;
  home: string;
  process: ChildProcess;
  /** Ends the process and waits for it. */
  end(signal?: NodeJS.Signals): Promise<number | null>;
}

/** A browser door as `npm run serve` starts it, in a home of its own. */
export async function openDoor(
  args: readonly string[],
  home = mkdtempSync(path.join(tmpdir(), 'landscribe-home-')),
): Promise<Door> {
  const child = spawn(
    process.execPath,
    [path.join(root, 'src/main/serve.ts'), '--port', '0', '--no-open', ...args],
    { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, LANDSCRIBE_HOME: home } },
  );
  let errors = '';
  child.stderr.on('data', (chunk) => {
    errors += chunk;
  });
  const ended = new Promise<number | null>((resolve) => child.on('exit', resolve));
  const url = await new Promise<string>((resolve, reject) => {
    child.stdout.on('data', (chunk) => {
      const found = /http:\S+/.exec(String(chunk));
      if (found) resolve(found[0]);
    });
    void ended.then((code) => reject(new Error(`the door ended with ${code}: ${errors}`)));
  });
  return {
    url,
    origin: new URL(url).origin,
    home,
    process: child,
    end: (signal = 'SIGTERM') => {
      child.kill(signal);
      return ended;
    },
  };
}
