import { PackScorer, type ScorerSettings } from '../infer/pack-scorer.ts';
import type { SessionOptions } from '../infer/session.ts';
import { openPack } from '../pack/open-pack.ts';
import { throwIfCancelled } from '../report/problem.ts';

export interface SpeedRequest {
  pack: string;
  settings: ScorerSettings;
  session: SessionOptions;
  milliseconds: number;
}

const side = 224;
/** As many as people ask for. */
const words = 8;

/** 224-pixel windows a second that one session scores, over `milliseconds` after a first window. */
export async function measureSpeed(request: SpeedRequest, signal?: AbortSignal): Promise<number> {
  const pack = await openPack(request.pack);
  const { embedding } = pack.manifest.geometry;
  const pixels = Float32Array.from({ length: 3 * side * side }, (_, i) => Math.sin(i * 0.7));
  const embeddings = new Float32Array(words * embedding).fill(1 / Math.sqrt(embedding));
  const scorer = await PackScorer.open(pack, embeddings, request.settings, request.session);
  try {
    await scorer.score(pixels.slice(), side, side);
    const started = performance.now();
    let windows = 0;
    let elapsed = 0;
    while (elapsed < request.milliseconds) {
      throwIfCancelled(signal);
      await scorer.score(pixels.slice(), side, side);
      windows++;
      elapsed = performance.now() - started;
      await new Promise((resolve) => setImmediate(resolve));
    }
    return (1000 * windows) / elapsed;
  } finally {
    await scorer.close();
  }
}
