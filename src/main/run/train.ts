import type { TrainRequest } from '../../worker/steps/train.ts';
import { EngineThread } from '../engine/engine-thread.ts';
import type { RunOptions } from './watch.ts';

/** Trains in a thread of its own; returns the files that came of it. */
export async function runTrain(request: TrainRequest, options: RunOptions = {}): Promise<string[]> {
  const thread = new EngineThread('train');
  try {
    const { signal, onProgress, onNote } = options;
    return await thread.run('train', request, { signal, onProgress, onNote });
  } finally {
    await thread.close();
  }
}
