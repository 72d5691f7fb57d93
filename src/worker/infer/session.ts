import path from 'node:path';
import * as ort from 'onnxruntime-node';
import type { Pack } from '../pack/open-pack.ts';
import { Problem } from '../report/problem.ts';

export type Provider = 'cpu' | 'webgpu' | 'cuda' | 'dml' | 'coreml';

export interface SessionOptions {
  provider: Provider;
  /** Threads inside one operator. */
  threads: number;
}

/** Providers that this build of the runtime has; whether the machine has what they need shows when one is used. */
export function builtInProviders(): Provider[] {
  const all: readonly Provider[] = ['cpu', 'webgpu', 'cuda', 'dml', 'coreml'];
  const names = ort.listSupportedBackends().map(({ name }) => name);
  return all.filter((provider) => names.includes(provider));
}

/** An array going in or coming out of a graph. */
export interface Tensor {
  values: Float32Array | BigInt64Array;
  shape: readonly number[];
}

/** A loaded graph. `run` blocks the thread that calls it for as long as the graph takes. */
export class Session {
  readonly #session: ort.InferenceSession;
  readonly #name: string;

  private constructor(session: ort.InferenceSession, name: string) {
    this.#session = session;
    this.#name = name;
  }

  /** Loads a graph of a pack. Throws `pack/corrupt` or `provider/unavailable`. */
  static async open(pack: Pack, graph: string, options: SessionOptions): Promise<Session> {
    const file = path.join(pack.folder, graph);
    // The runtime would drop a provider it was not built with and run on the processor without a word.
    const available = ort.listSupportedBackends().map(({ name }) => name);
    if (!available.includes(options.provider)) {
      throw new Problem(
        'provider/unavailable',
        `This build of ONNX Runtime has no ${options.provider} provider.`,
        `Use --provider ${available.join(' or ')}.`,
      );
    }
    try {
      const session = await ort.InferenceSession.create(file, {
        executionProviders: options.provider === 'cpu' ? ['cpu'] : [options.provider, 'cpu'],
        intraOpNumThreads: options.threads,
        interOpNumThreads: 1,
        executionMode: 'sequential',
        logSeverityLevel: 3,
        // Kernels' softmax leaves many numbers too small for full precision, and those are slow to compute with.
        extra: { session: { set_denormal_as_zero: '1' } },
      });
      return new Session(session, graph);
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message.split('\n')[0] : String(cause);
      if (options.provider !== 'cpu') {
        throw new Problem(
          'provider/unavailable',
          `The ${options.provider} provider cannot run ${graph}: ${reason}.`,
          'Use --provider cpu.',
          cause,
        );
      }
      throw new Problem(
        'pack/corrupt',
        `${file}: cannot be loaded: ${reason}.`,
        'Build or install the pack again.',
        cause,
      );
    }
  }

  /** Runs the graph; the results' arrays belong to the caller. */
  async run(inputs: Readonly<Record<string, Tensor>>): Promise<Record<string, Tensor>> {
    const feeds: Record<string, ort.Tensor> = {};
    for (const [name, { values, shape }] of Object.entries(inputs)) {
      feeds[name] =
        values instanceof Float32Array
          ? new ort.Tensor('float32', values, shape)
          : new ort.Tensor('int64', values, shape);
    }
    let results: ort.InferenceSession.OnnxValueMapType;
    try {
      results = await this.#session.run(feeds);
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message.split('\n')[0] : String(cause);
      throw new Problem(
        'engine/run',
        `${this.#name} failed: ${reason}.`,
        'Lower --threads or --memory.',
        cause,
      );
    }
    return Object.fromEntries(
      Object.entries(results).map(([name, tensor]) => [
        name,
        { values: tensor.data as Float32Array, shape: tensor.dims },
      ]),
    );
  }

  async close(): Promise<void> {
    await this.#session.release();
  }
}
