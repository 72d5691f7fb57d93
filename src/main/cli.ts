#!/usr/bin/env node
import { Command, CommanderError } from 'commander';
import { Cancelled } from '../worker/report/problem.ts';
import { asProblem } from '../worker/report/problem-record.ts';
import { benchmarkCommand } from './cli/benchmark.ts';
import { compareCommand } from './cli/compare.ts';
import type { Console } from './cli/console.ts';
import { demoCommand } from './cli/demo.ts';
import { encodeCommand } from './cli/encode.ts';
import { evaluateCommand } from './cli/evaluate.ts';
import { featuresCommand } from './cli/features.ts';
import { infoCommand } from './cli/info.ts';
import { packCommand } from './cli/pack.ts';
import { createProgressDisplay } from './cli/progress.ts';
import { promptCommand } from './cli/prompt.ts';
import { segmentCommand } from './cli/segment.ts';
import { shiftCommand } from './cli/shift.ts';
import { trainCommand } from './cli/train.ts';
import { version } from './program.ts';

/** Exit codes: 0 done, 1 failed, 2 called wrongly, 130 cancelled. */
const failed = 1;
const misused = 2;
const cancelled = 130;

const oldestNode = 22;
if (Number.parseInt(process.versions.node, 10) < oldestNode) {
  process.stderr.write(
    `landscribe: needs Node.js ${oldestNode} or newer, this is ${process.versions.node}. In a clone, npm run -s cli -- … brings its own on Linux.\n`,
  );
  process.exit(failed);
}

const controller = new AbortController();
const debug = process.argv.includes('--debug') || process.env.LANDSCRIBE_DEBUG === '1';

let interruptions = 0;
function interrupt(): void {
  interruptions++;
  // Ending the process inside a session's run would abort it with a core dump; windows under way take a moment.
  process.stderr.write(
    interruptions === 1 ? '\nstopping after the windows under way …\n' : 'still stopping …\n',
  );
  controller.abort(new Cancelled());
}
process.on('SIGINT', interrupt);
process.on('SIGTERM', interrupt);
// A reader that has seen enough (`landscribe info | head`) is no failure.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
});
// What cannot be told there can be told nowhere: telling of it would fail again, for ever.
process.stderr.on('error', () => {});

/** One line on standard error, whatever happened; the stack only when asked for. */
function fail(error: unknown): void {
  const problem = asProblem(error);
  process.exitCode = problem.code === 'cancelled' ? cancelled : problem.code === 'usage' ? misused : failed;
  const line = `landscribe: ${problem.message} ${problem.hint}`.replace(/[\s\p{Cc}]+/gu, ' ').trim();
  process.stderr.write(`${line}\n`);
  if (debug) {
    process.stderr.write(`${problem.code}\n${problem.stack}\n`);
    if (problem.cause instanceof Error) process.stderr.write(`caused by ${problem.cause.stack}\n`);
  }
}
process.on('uncaughtException', fail);
process.on('unhandledRejection', fail);

const door: Console = {
  signal: controller.signal,
  print: (text) => void process.stdout.write(`${text}\n`),
  async confirm(question) {
    if (!process.stdin.isTTY || !process.stderr.isTTY) return false;
    const { createInterface } = await import('node:readline/promises');
    const terminal = createInterface({ input: process.stdin, output: process.stderr });
    try {
      return /^y(es)?$/i.test((await terminal.question(question, { signal: controller.signal })).trim());
    } finally {
      terminal.close();
    }
  },
  display: (json) => createProgressDisplay(process.stderr, json),
};

const program = new Command('landscribe')
  .description(
    'Turns satellite scenes into maps by words: open a large raster, type the classes, get polygons.',
  )
  .version(version, '--version', 'print the version')
  .helpOption('-h, --help', 'explain a command and its options')
  .option('--debug', 'print the stack of a failure')
  .showSuggestionAfterError(false);
const commands = [
  segmentCommand,
  encodeCommand,
  promptCommand,
  featuresCommand,
  infoCommand,
  shiftCommand,
  compareCommand,
  packCommand,
  demoCommand,
  evaluateCommand,
  benchmarkCommand,
  trainCommand,
];
for (const command of commands.map((create) => create(door))) {
  program.addCommand(command);
}

/** Lets `run` handle every way out, on all levels of commands. */
function tame(command: Command): void {
  command.exitOverride().configureOutput({ outputError: () => {} });
  for (const child of command.commands) tame(child);
}
tame(program);

try {
  await program.parseAsync();
} catch (error) {
  if (error instanceof CommanderError) {
    if (error.exitCode !== 0 && error.code !== 'commander.help') {
      process.stderr.write(
        `landscribe: ${error.message.replace(/^error: /, '').replace(/\s+/g, ' ')} See landscribe --help.\n`,
      );
      process.exitCode = misused;
    } else if (error.code === 'commander.help') {
      process.exitCode = misused;
    }
  } else {
    fail(error);
  }
}
