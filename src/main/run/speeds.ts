import { fork } from 'node:child_process';
import { availableParallelism } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import * as z from 'zod';
import type { Provider } from '../../worker/infer/session.ts';
import { openPack } from '../../worker/pack/open-pack.ts';
import { Problem } from '../../worker/report/problem.ts';
import { fromRecord, type ProblemRecord } from '../../worker/report/problem-record.ts';
import type { Speed, SpeedRequest } from '../../worker/steps/measure-speed.ts';
import { EngineThread } from '../engine/engine-thread.ts';
import type { Home } from '../packs/home.ts';
import { UserFile } from '../packs/user-files.ts';
import { scoringOf } from './scoring.ts';
import { checkSegmentRequest } from './segment-request.ts';

const seconds = z.number().min(0);
const wordCost = z.object({ fixed: seconds, word: seconds });
const speed = z.object({
  open: seconds,
  encode: seconds,
  label: z.object({ upsampled: wordCost.nullable(), plain: wordCost }),
  tile: wordCost.extend({ margin: seconds }).nullable(),
  stitch: seconds,
  word: seconds,
});
/** Null: the provider failed. */
const known = z.record(z.string(), z.object({ speed: speed.nullable(), measured: z.string() }));

const milliseconds = 2000;
/** A provider that has not answered by then will not. */
const patience = 60_000;

const ending = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
const processFile = fileURLToPath(new URL(`./speed-process.${ending}`, import.meta.url));

/** How fast this machine is with each pack and provider, as measured once and remembered. */
export class Speeds {
  readonly #file: UserFile<typeof known>;
  #builtIn: Promise<Provider[]> | null = null;

  constructor(home: Home) {
    this.#file = new UserFile(path.join(home.folder, 'speeds.json'), known, {});
  }

  /** Providers that the runtime was built with. */
  providers(): Promise<Provider[]> {
    this.#builtIn ??= builtInProviders().catch((error: unknown) => {
      // Asked again the next time.
      this.#builtIn = null;
      throw error;
    });
    return this.#builtIn;
  }

  /** A session's speed with all cores at work; undefined before it was measured, null where the provider failed. */
  async of(folder: string, provider: string): Promise<Speed | null | undefined> {
    return (await this.#file.read())[await keyOf(folder, provider)]?.speed;
  }

  /** Measures for about two seconds. A provider that fails is remembered as not available; throws its `Problem`. */
  async measure(folder: string, provider: string, signal?: AbortSignal): Promise<Speed> {
    const name = (await this.providers()).find((each) => each === provider);
    if (!name)
      throw new Problem('provider/unavailable', `There is no provider ${provider} here.`, 'Choose the CPU.');
    const key = await keyOf(folder, name);
    const remember = (found: Speed | null) =>
      this.#file.change((all) => ({ ...all, [key]: { speed: found, measured: new Date().toISOString() } }));
    try {
      const found = await measuredSpeed(folder, name, 'wall', signal);
      await remember(found);
      return found;
    } catch (error) {
      if (!signal?.aborted && name !== 'cpu') await remember(null);
      throw error;
    }
  }
}

async function builtInProviders(): Promise<Provider[]> {
  const thread = new EngineThread('providers');
  try {
    return await thread.run('builtInProviders', null);
  } finally {
    await thread.close();
  }
}

/** Measures without remembering it. */
export async function measuredSpeed(
  folder: string,
  provider: Provider,
  clock: SpeedRequest['clock'],
  signal?: AbortSignal,
): Promise<Speed> {
  const pack = await openPack(folder);
  const classes = [{ id: 1, name: 'a', words: ['a'], colour: '#000000' }];
  const asked = checkSegmentRequest({ scene: 'none', out: 'none', pack: folder, classes });
  const threads = provider === 'cpu' ? 1 : availableParallelism();
  const settings = scoringOf(asked, pack);
  const request = { pack: folder, settings, session: { provider, threads }, milliseconds, clock };
  return provider === 'cpu' ? onAllCores(request, signal) : inOwnProcess(request, signal);
}

async function keyOf(folder: string, provider: string): Promise<string> {
  const { checksum } = await openPack(folder);
  return `${checksum.slice(0, 16)} ${provider} ${availableParallelism()}`;
}

/** As a run has it: a session of one thread a core, side by side. The mean of them. */
async function onAllCores(request: SpeedRequest, signal: AbortSignal | undefined): Promise<Speed> {
  const threads = Array.from(
    { length: availableParallelism() },
    (_, i) => new EngineThread(`speed ${i + 1}`),
  );
  try {
    return meanOf(
      await Promise.all(threads.map((thread) => thread.run('measureSpeed', request, { signal }))),
    );
  } finally {
    await Promise.all(threads.map((thread) => thread.close()));
  }
}

function meanOf(all: readonly Speed[]): Speed {
  const mean = (value: (each: Speed) => number) =>
    all.reduce((sum, each) => sum + value(each), 0) / all.length;
  const { label, tile } = all[0]!;
  return {
    open: mean((each) => each.open),
    encode: mean((each) => each.encode),
    label: {
      upsampled: label.upsampled && {
        fixed: mean((each) => each.label.upsampled!.fixed),
        word: mean((each) => each.label.upsampled!.word),
      },
      plain: { fixed: mean((each) => each.label.plain.fixed), word: mean((each) => each.label.plain.word) },
    },
    tile: tile && {
      fixed: mean((each) => each.tile!.fixed),
      word: mean((each) => each.tile!.word),
      margin: mean((each) => each.tile!.margin),
    },
    stitch: mean((each) => each.stitch),
    word: mean((each) => each.word),
  };
}

type Answer = { speed: Speed } | { problem: ProblemRecord };

function inOwnProcess(request: SpeedRequest, signal: AbortSignal | undefined): Promise<Speed> {
  const broken = (what: string) =>
    new Problem(
      'provider/unavailable',
      `The ${request.session.provider} provider cannot be used here: ${what}.`,
      'Choose the CPU, or install what the provider needs.',
    );
  return new Promise((resolve, reject) => {
    const child = fork(processFile, {
      env: { ...process.env, ELECTRON_RUN_AS_NODE: '1' },
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    });
    const end = () => child.kill('SIGKILL');
    const timer = setTimeout(() => {
      reject(broken(`it did not answer within ${patience / 1000} s`));
      end();
    }, patience);
    signal?.addEventListener('abort', end, { once: true });
    child.on('message', (answer: Answer) => {
      if ('problem' in answer) reject(fromRecord(answer.problem));
      else resolve(answer.speed);
    });
    child.on('error', (error) => reject(broken(error.message)));
    child.on('exit', () => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', end);
      reject(broken('it took its process down'));
    });
    child.send(request);
  });
}
