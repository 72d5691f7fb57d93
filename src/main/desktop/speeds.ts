import { fork } from 'node:child_process';
import { availableParallelism } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import * as z from 'zod';
import type { Provider as ProviderName } from '../../worker/infer/session.ts';
import { openPack } from '../../worker/pack/open-pack.ts';
import { Problem } from '../../worker/report/problem.ts';
import { fromRecord, type ProblemRecord } from '../../worker/report/problem-record.ts';
import type { SpeedRequest } from '../../worker/steps/measure-speed.ts';
import { EngineThread } from '../engine/engine-thread.ts';
import type { Home } from '../packs/home.ts';
import type { Provider } from '../rpc/runs.ts';
import { scoringOf } from '../run/scoring.ts';
import { checkSegmentRequest } from '../run/segment-request.ts';
import { folderOfPack } from './pack-facts.ts';
import { UserFile } from './user-files.ts';

const speeds = z.record(
  z.string(),
  z.object({ windowsPerSecond: z.number().nullable(), measured: z.string() }),
);
const milliseconds = 2000;
/** A provider that has not answered by then will not. */
const patience = 60_000;

const titles: Record<ProviderName, string> = {
  cpu: 'CPU',
  webgpu: 'GPU (WebGPU)',
  cuda: 'NVIDIA GPU (CUDA)',
  dml: 'GPU (DirectML)',
  coreml: 'Apple Core ML',
};

const ending = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
const processFile = fileURLToPath(new URL(`./speed-process.${ending}`, import.meta.url));

/** How fast this machine is with each pack and provider, as measured once and remembered. */
export class Speeds {
  readonly #home: Home;
  readonly #file: UserFile<typeof speeds>;
  #builtIn: Promise<ProviderName[]> | null = null;

  constructor(home: Home) {
    this.#home = home;
    this.#file = new UserFile(path.join(home.folder, 'speeds.json'), speeds, {});
  }

  async providers(pack: string): Promise<Provider[]> {
    const known = await this.#file.read();
    const names = await this.#names();
    return Promise.all(names.map(async (name) => describe(name, known[await this.#key(pack, name)])));
  }

  /** 224-pixel windows a second, all cores together; null before it was measured. */
  async of(pack: string, provider: string): Promise<number | null> {
    return (await this.#file.read())[await this.#key(pack, provider)]?.windowsPerSecond ?? null;
  }

  /** Measures for two seconds. A provider that fails is remembered as not available; throws its `Problem`. */
  async measure(pack: string, provider: string, signal?: AbortSignal): Promise<Provider> {
    const name = (await this.#names()).find((each) => each === provider);
    if (!name)
      throw new Problem('provider/unavailable', `There is no provider ${provider} here.`, 'Choose the CPU.');
    const folder = await folderOfPack(pack, this.#home);
    const request = await speedRequest(folder, name);
    const key = await this.#key(pack, name);
    const remember = (windowsPerSecond: number | null) =>
      this.#file.change((known) => ({
        ...known,
        [key]: { windowsPerSecond, measured: new Date().toISOString() },
      }));
    try {
      const windowsPerSecond =
        name === 'cpu' ? await onAllCores(request, signal) : await inOwnProcess(request, signal);
      await remember(windowsPerSecond);
      return describe(name, { windowsPerSecond });
    } catch (error) {
      if (!signal?.aborted && name !== 'cpu') await remember(null);
      throw error;
    }
  }

  #names(): Promise<ProviderName[]> {
    this.#builtIn ??= (async () => {
      const thread = new EngineThread('providers');
      try {
        return await thread.run('builtInProviders', null);
      } finally {
        await thread.close();
      }
    })();
    return this.#builtIn;
  }

  async #key(pack: string, provider: string): Promise<string> {
    const { checksum } = await openPack(await folderOfPack(pack, this.#home));
    return `${checksum.slice(0, 16)} ${provider} ${availableParallelism()}`;
  }
}

function describe(name: ProviderName, known: { windowsPerSecond: number | null } | undefined): Provider {
  const cores = availableParallelism();
  return {
    name,
    title: name === 'cpu' ? `CPU, ${cores} ${cores === 1 ? 'thread' : 'threads'}` : titles[name],
    available: known?.windowsPerSecond !== null,
    windowsPerSecond: known?.windowsPerSecond ?? null,
  };
}

async function speedRequest(folder: string, provider: ProviderName): Promise<SpeedRequest> {
  const pack = await openPack(folder);
  const classes = [{ id: 1, name: 'a', words: ['a'], colour: '#000000' }];
  const asked = checkSegmentRequest({ scene: 'none', out: 'none', pack: folder, classes });
  const threads = provider === 'cpu' ? 1 : availableParallelism();
  return { pack: folder, settings: scoringOf(asked, pack), session: { provider, threads }, milliseconds };
}

/** As a run has it: a session of one thread a core, side by side. */
async function onAllCores(request: SpeedRequest, signal: AbortSignal | undefined): Promise<number> {
  const threads = Array.from(
    { length: availableParallelism() },
    (_, i) => new EngineThread(`speed ${i + 1}`),
  );
  try {
    const found = await Promise.all(threads.map((thread) => thread.run('measureSpeed', request, { signal })));
    return found.reduce((sum, each) => sum + each, 0);
  } finally {
    await Promise.all(threads.map((thread) => thread.close()));
  }
}

type Answer = { windowsPerSecond: number } | { problem: ProblemRecord };

function inOwnProcess(request: SpeedRequest, signal: AbortSignal | undefined): Promise<number> {
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
      else resolve(answer.windowsPerSecond);
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
