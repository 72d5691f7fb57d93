import { randomBytes } from 'node:crypto';
import { availableParallelism } from 'node:os';
import { checkKnownWords } from '../../worker/pack/known-words.ts';
import { openPack } from '../../worker/pack/open-pack.ts';
import type { Crs } from '../../worker/raster/crs.ts';
import { Cancelled, Problem } from '../../worker/report/problem.ts';
import type { PreviewRegionReply, PreviewRegionRequest } from '../../worker/steps/preview-region.ts';
import { EngineThread } from '../engine/engine-thread.ts';
import type { LivePicture } from '../rpc/runs.ts';
import { scoringOf } from '../run/segment.ts';
import { checkSegmentRequest } from '../run/segment-request.ts';
import type { LivePictures } from './live-pictures.ts';
import type { SegmentSettings } from './run-settings.ts';
import { nameOfSystem } from './systems.ts';

/** Working pixels of a preview. */
const mostPixels = 1024 * 1024;
/** Milliseconds after which the thread with its model goes, if nobody asks for another preview. */
const idleTime = 120_000;

/** Labels of an extent at once, in a thread of its own that stays ready for the next preview. */
export class Previews {
  readonly #pictures: LivePictures;
  /** The preview under way, by scene. */
  readonly #running = new Map<number, AbortController>();
  readonly #shown = new Map<number, string>();
  /** One after the other: they share the model that is kept. */
  #turn: Promise<unknown> = Promise.resolve();
  #thread: EngineThread | null = null;
  #idle: NodeJS.Timeout | null = null;
  #active = 0;

  constructor(pictures: LivePictures) {
    this.#pictures = pictures;
  }

  /** Ends the preview of the same scene before it. `asCrs` is the system that the scene is taken to be in. */
  async draw(
    sceneId: number,
    scene: string,
    settings: SegmentSettings,
    asCrs: Crs | null,
    ofProject: Crs | null,
    signal?: AbortSignal,
  ): Promise<{ picture: LivePicture; seconds: number; shares: number[] }> {
    const started = performance.now();
    this.#running.get(sceneId)?.abort(new Cancelled('A newer preview took its place.'));
    const own = new AbortController();
    this.#running.set(sceneId, own);
    if (this.#idle) clearTimeout(this.#idle);
    this.#active++;
    try {
      const request = checkSegmentRequest({ ...settings, scene, out: 'preview' });
      const pack = await openPack(request.pack);
      const words = request.classes.flatMap((entry) => entry.words);
      checkKnownWords(pack.manifest, words);
      const stop = signal ? AbortSignal.any([signal, own.signal]) : own.signal;
      this.#thread ??= new EngineThread('preview');
      const preparation = await this.#thread.run('planRadarPreparation', request, { signal: stop });
      const { lambda, upsample, ...encoder } = scoringOf(request, pack, preparation.modality);
      const threads = Math.min(request.threads, availableParallelism());
      const reply = await this.#inTurn(
        {
          scene,
          pack: request.pack,
          encoder,
          labeller: { lambda, upsample },
          session: { provider: request.provider, threads },
          templates: request.templates,
          classes: request.classes,
          threshold: request.threshold,
          background: request.background,
          bands: request.bands,
          resolution: request.resolution,
          radar: preparation.recipe,
          extent: request.extent,
          window: request.window,
          stride: request.stride,
          mostPixels,
          cacheBytes: 128 << 20,
        },
        stop,
      );
      const { width, height, transform } = reply.grid;
      const id = `preview-${sceneId}-${randomBytes(6).toString('hex')}`;
      const before = this.#shown.get(sceneId);
      if (before) this.#pictures.remove(before);
      this.#shown.set(sceneId, id);
      this.#pictures.set(id, { width, height, classes: reply.classes, confidence: reply.confidence });
      const picture = this.#pictures.describe(id, {
        crs: nameOfSystem(reply.placed ? reply.grid.crs : asCrs, ofProject),
        transform: [...transform],
        classes: request.classes.map((entry) => ({ id: entry.id, name: entry.name, colour: entry.colour })),
      })!;
      const counts = new Array<number>(request.classes.length + 1).fill(0);
      for (const value of reply.classes) counts[value] = counts[value]! + 1;
      return {
        picture,
        seconds: Math.round(performance.now() - started) / 1000,
        shares: counts.map((count) => count / (width * height)),
      };
    } finally {
      this.#active--;
      if (this.#running.get(sceneId) === own) this.#running.delete(sceneId);
      if (this.#active === 0) {
        this.#idle = setTimeout(() => void this.#end(), idleTime);
        this.#idle.unref();
      }
    }
  }

  #inTurn(request: PreviewRegionRequest, signal: AbortSignal): Promise<PreviewRegionReply> {
    const work = this.#turn.then(() => {
      this.#thread ??= new EngineThread('preview');
      return this.#thread.run('previewRegion', request, { signal });
    });
    this.#turn = work.catch((error: unknown) => {
      // A thread that died is replaced by the next preview's.
      if (error instanceof Problem && error.code === 'engine/ended') this.#thread = null;
    });
    return work;
  }

  async close(): Promise<void> {
    if (this.#idle) clearTimeout(this.#idle);
    for (const running of this.#running.values()) running.abort(new Cancelled());
    await this.#end();
  }

  async #end(): Promise<void> {
    const thread = this.#thread;
    this.#thread = null;
    await thread?.close();
  }
}
