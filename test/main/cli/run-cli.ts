import { type ChildProcess, spawn } from 'node:child_process';
import path from 'node:path';

const root = path.resolve(import.meta.dirname, '../../..');
export const cliFile = path.join(root, 'src/main/cli.ts');

export interface CliResult {
  code: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
}

export interface CliOptions {
  cwd?: string;
  onStart?: (child: ChildProcess) => void;
  /** What runs the program: Node with the file by default. */
  command?: string[];
  env?: NodeJS.ProcessEnv;
}

/** Runs the command line as a user does, in a process of its own. */
export function runCli(args: readonly string[], options: CliOptions = {}): Promise<CliResult> {
  const [program, ...first] = options.command ?? [process.execPath, cliFile];
  return new Promise((resolve, reject) => {
    const child = spawn(program!, [...first, ...args], {
      cwd: options.cwd,
      env: { ...process.env, LANDSCRIBE_PACK: '', ...options.env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    options.onStart?.(child);
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text;
    });
    child.on('error', reject);
    child.on('close', (code, signal) => resolve({ code, signal, stdout, stderr }));
  });
}
