import { availableParallelism } from 'node:os';
import type { Provider as ProviderName } from '../../worker/infer/session.ts';
import type { Speed } from '../../worker/steps/measure-speed.ts';
import type { Home } from '../packs/home.ts';
import type { Provider } from '../rpc/runs.ts';
import { Speeds } from '../run/speeds.ts';
import { folderOfPack } from './pack-facts.ts';

const titles: Record<ProviderName, string> = {
  cpu: 'CPU',
  webgpu: 'GPU (WebGPU)',
  cuda: 'NVIDIA GPU (CUDA)',
  dml: 'GPU (DirectML)',
  coreml: 'Apple Core ML',
};
/** As many words as people ask for. */
const words = 8;

/** What can run a pack on this machine, and how fast it is, in the screen's terms. */
export class Providers {
  readonly #home: Home;
  readonly #speeds: Speeds;

  constructor(home: Home) {
    this.#home = home;
    this.#speeds = new Speeds(home);
  }

  async of(pack: string): Promise<Provider[]> {
    const folder = await folderOfPack(pack, this.#home);
    const names = await this.#speeds.providers();
    return Promise.all(names.map(async (name) => describe(name, await this.#speeds.of(folder, name))));
  }

  /** Null before it was measured. */
  async speed(folder: string, provider: string): Promise<Speed | null> {
    return (await this.#speeds.of(folder, provider)) ?? null;
  }

  /** Throws the `Problem` of a provider that fails. */
  async measure(pack: string, provider: string, signal?: AbortSignal): Promise<Provider> {
    const folder = await folderOfPack(pack, this.#home);
    return describe(provider as ProviderName, await this.#speeds.measure(folder, provider, signal));
  }
}

function describe(name: ProviderName, speed: Speed | null | undefined): Provider {
  const cores = availableParallelism();
  const label = speed && (speed.label.upsampled ?? speed.label.plain);
  return {
    name,
    title: name === 'cpu' ? `CPU, ${cores} ${cores === 1 ? 'thread' : 'threads'}` : titles[name],
    available: speed !== null,
    windowsPerSecond:
      speed && label
        ? (name === 'cpu' ? cores : 1) / (speed.encode + label.fixed + words * label.word)
        : null,
  };
}
