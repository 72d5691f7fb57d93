import { createHash } from 'node:crypto';
import { plainWords } from '../../worker/classmap/class-words.ts';
import type { Example } from '../../worker/features/example.ts';
import type { RadarRecipe } from '../../worker/prep/sar/recipe.ts';
import type { Examples } from '../../worker/steps/queries.ts';
import type { EngineThread } from '../engine/engine-thread.ts';
import type { MemoryPlan } from './memory-plan.ts';
import type { scoringOf } from './scoring.ts';
import type { SegmentRequest } from './segment-request.ts';
import type { RunOptions } from './watch.ts';

/** What the request's examples ask of a feature: those of places are looked at first. */
export async function examplesOf(
  conductor: EngineThread,
  request: SegmentRequest,
  scoring: ReturnType<typeof scoringOf>,
  radar: RadarRecipe | null,
  memory: MemoryPlan,
  words: readonly string[],
  { signal, onProgress }: RunOptions,
): Promise<Examples> {
  const known: Record<string, Example> = {};
  const points: Record<string, [number, number][]> = {};
  for (const [name, example] of Object.entries(request.examples)) {
    if ('direction' in example) known[name] = example;
    else points[name] = example.points;
  }
  if (Object.keys(points).length === 0) return known;
  const { scene, pack, provider, threads, templates, bands, resolution, window, stride } = request;
  const found = await conductor.run(
    'learnExamples',
    {
      scene,
      pack,
      encoder: scoring,
      upsample: scoring.upsample,
      session: { provider, threads },
      templates,
      bands,
      resolution,
      radar,
      window,
      stride,
      cacheBytes: memory.cacheBytes,
      points,
      words: plainWords(words),
    },
    { signal, onProgress },
  );
  return { ...known, ...found };
}

/** SHA-256 of each example, for what a result depends on. */
export function digestsOf(examples: Examples): Record<string, string> {
  return Object.fromEntries(
    Object.entries(examples).map(([name, { feature, direction }]) => {
      const numbers = Float32Array.from([...Array.from(feature), ...Array.from(direction)]);
      return [name, createHash('sha256').update(new Uint8Array(numbers.buffer)).digest('hex')];
    }),
  );
}
