import { spawn } from 'node:child_process';

/** What a bench prints as JSON when it is started again with these arguments: its memory is its own. */
export function apart<Result>(file: string, args: string[], env: NodeJS.ProcessEnv = {}): Promise<Result> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [file, ...args], {
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let text = '';
    child.stdout.setEncoding('utf8').on('data', (part: string) => {
      text += part;
    });
    child.on('error', reject);
    child.on('close', (code) =>
      code === 0
        ? resolve(JSON.parse(text) as Result)
        : reject(new Error(`${args.join(' ')} ended with ${code}`)),
    );
  });
}
