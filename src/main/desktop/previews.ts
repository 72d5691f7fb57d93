import { randomBytes } from 'node:crypto';
import { availableParallelism } from 'node:os';
import { exampleNamed, plainWords } from '../../worker/classmap/class-words.ts';
import { checkKnownWords, unknownWords } from '../../worker/pack/known-words.ts';
import { openPack, type Pack } from '../../worker/pack/open-pack.ts';
import { applyAffine, invertAffine } from '../../worker/raster/affine.ts';
import type { Crs } from '../../worker/raster/crs.ts';
import { Cancelled, Problem } from '../../worker/report/problem.ts';
import type { EncodeViewReply, LikelyWords } from '../../worker/steps/live-view.ts';
import type { Tasks } from '../../worker/steps/tasks.ts';
import { EngineThread, type TaskOptions } from '../engine/engine-thread.ts';
import type { Example, LivePicture, RunSettings } from '../rpc/runs.ts';
import { scoringOf } from '../run/scoring.ts';
import { checkSegmentRequest } from '../run/segment-request.ts';
import { betweenOrThrow } from './coordinates.ts';
import type { LivePictures } from './live-pictures.ts';
import type { SegmentSettings } from './run-settings.ts';
import { nameOfSystem } from './systems.ts';

/** Working pixels of a preview. */
const mostPixels = 1024 * 1024;
/** Milliseconds after which the thread with its model goes, if nobody asks anything of it. */
const idleTime = 600_000;
/** Pictures that a screen may still be fetching. */
const keptPictures = 2;

/** What of a run's settings an encoding depends on; the others may change while it is asked. */
function encodingKey(settings: RunSettings): string {
  const { pack, resolution, bands, provider, threads, window, stride } = settings;
  const { attention, lastLayers, upsampler, radar } = settings;
  return JSON.stringify([
    pack,
    resolution,
    bands,
    provider,
    threads,
    window,
    stride,
    attention,
    lastLayers,
    upsampler,
    radar,
  ]);
}

type Question = 'labels' | 'heat' | 'likely';
type Point = readonly [number, number];

/** The view that the thread has encoded. */
interface EncodedView extends EncodeViewReply {
  pack: Pack;
  key: string;
  system: Crs | null;
  crs: LivePicture['crs'];
}

interface Drawn {
  picture: LivePicture;
  /** Milliseconds here, from question to answer. */
  milliseconds: number;
}

export interface Labelled extends Drawn {
  /** Of the picture's pixels, by class number from 0 (none). */
  shares: number[];
}

/**
 * Labels of an extent at once. A thread of its own encodes the view and keeps what any later words need of it; then
 * every change of words or thresholds is a matter of moments.
 */
export class Previews {
  readonly #pictures: LivePictures;
  /** The encoding under way. */
  #encoding: AbortController | null = null;
  /** The question under way: the next one ends it. */
  readonly #asking = new Map<Question, AbortController>();
  #view: EncodedView | null = null;
  readonly #shown: string[] = [];
  /** One encoding after the other: they share the model that is kept. */
  #turn: Promise<unknown> = Promise.resolve();
  #thread: EngineThread | null = null;
  #idle: NodeJS.Timeout | null = null;
  #active = 0;

  constructor(pictures: LivePictures) {
    this.#pictures = pictures;
  }

  /**
   * Encodes the extent of the settings and labels it. Ends the preview before it. `asCrs` is the system that the scene
   * is taken to be in; `asked` the screen's settings that `settings` were made from; `stored` the folder
   * where features of the scene may lie.
   */
  async draw(
    scene: string,
    settings: SegmentSettings,
    asked: RunSettings,
    asCrs: Crs | null,
    ofProject: Crs | null,
    stored: string | null,
    signal?: AbortSignal,
    onShare?: (share: number) => void,
  ): Promise<Labelled & { view: string; seconds: number }> {
    const started = performance.now();
    this.#encoding?.abort(new Cancelled('A newer preview took its place.'));
    const own = new AbortController();
    this.#encoding = own;
    const stop = signal ? AbortSignal.any([signal, own.signal]) : own.signal;
    try {
      const request = checkSegmentRequest({ ...settings, scene, out: 'preview' });
      const pack = await openPack(request.pack);
      checkKnownWords(pack.manifest, plainWords(request.classes.flatMap((entry) => entry.words)));
      const preparation = await this.#run('planRadarPreparation', request, { signal: stop });
      const { lambda: _, upsample, ...encoder } = scoringOf(request, pack, preparation.modality);
      const threads = Math.min(request.threads, availableParallelism());
      const reply = await this.#inTurn(() =>
        this.#run(
          'encodeView',
          {
            scene,
            pack: request.pack,
            encoder,
            upsample,
            session: { provider: request.provider, threads },
            bands: request.bands,
            resolution: request.resolution,
            radar: preparation.recipe,
            extent: request.extent,
            window: request.window,
            stride: request.stride,
            stored,
            mostPixels,
            cacheBytes: 128 << 20,
          },
          { signal: stop, onProgress: ({ done, total }) => onShare?.(done / total) },
        ),
      );
      const system = reply.placed ? reply.grid.crs : asCrs;
      const crs = nameOfSystem(system, ofProject);
      this.#view = { ...reply, pack, key: encodingKey(asked), system, crs };
      const labelled = await this.label(reply.view, asked, stop);
      return {
        ...labelled,
        view: reply.view,
        seconds: Math.round(performance.now() - started) / 1000,
      };
    } finally {
      if (this.#encoding === own) this.#encoding = null;
    }
  }

  /**
   * Labels of the encoded view; ends the question before it. Words that the pack does not know are left out, as half of
   * a word is while it is typed. Throws `live/none` where the view or what it was encoded with is another,
   * `pack/unknown-word` where no class has a known word.
   */
  async label(view: string, settings: RunSettings, signal?: AbortSignal): Promise<Labelled> {
    const started = performance.now();
    const stop = this.#next('labels', signal);
    const kept = this.#viewNamed(view, encodingKey(settings));
    const { knownWords } = kept.pack.manifest;
    const known = settings.prompts.map((prompt) => {
      const unknown = new Set(knownWords === null ? [] : unknownWords(knownWords, plainWords(prompt.words)));
      const told = (word: string) => {
        const example = exampleNamed(word);
        return example === null ? !unknown.has(word) : settings.examples[example] !== undefined;
      };
      return { ...prompt, words: prompt.words.filter(told) };
    });
    const prompts = known.filter(({ words }) => words.length > 0);
    if (prompts.length === 0)
      checkKnownWords(
        kept.pack.manifest,
        settings.prompts.flatMap(({ words }) => plainWords(words)),
      );
    const { background } = settings;
    const reply = await this.#run(
      'labelView',
      {
        view,
        classes: prompts.map(({ name, words, colour }, i) => ({ id: i + 1, name, words, colour })),
        examples: settings.examples,
        templates: settings.templates as never,
        lambda: settings.lambda,
        threshold: prompts.map(({ threshold }) => threshold ?? settings.threshold),
        background: prompts.some(({ name }) => name === background) ? background : null,
      },
      { signal: stop },
    );
    const classes = prompts.map(({ name, colour }, i) => ({ id: i + 1, name, colour }));
    const picture = this.#show(kept, reply.classes, reply.confidence, classes);
    const counts = new Array<number>(prompts.length + 1).fill(0);
    for (const value of reply.classes) counts[value] = counts[value]! + 1;
    return {
      picture,
      shares: counts.map((count) => count / reply.classes.length),
      milliseconds: performance.now() - started,
    };
  }

  /**
   * Similarity of the encoded view with one word: a picture whose "classes" run from 1 (`low`) to 255 (`high`). Ends the
   * question before it. Throws as `label`.
   */
  async heat(
    view: string,
    word: string,
    templates: RunSettings['templates'],
    signal?: AbortSignal,
  ): Promise<Drawn & { low: number; high: number }> {
    const started = performance.now();
    const stop = this.#next('heat', signal);
    const kept = this.#viewNamed(view, null);
    checkKnownWords(kept.pack.manifest, [word]);
    const question = { view, word, templates: templates as never };
    const reply = await this.#run('heatView', question, { signal: stop });
    const { heat, low, high } = reply;
    const picture = this.#show(kept, heat, new Uint8Array(heat.length).fill(255), []);
    return { picture, low, high, milliseconds: performance.now() - started };
  }

  /** The pack that a view was encoded with. Throws `live/none`. */
  packOf(view: string): Pack['manifest'] {
    return this.#viewNamed(view, null).pack.manifest;
  }

  /** The likeliest of `words`, given by meaning, at a point of the encoded view. Throws `live/none`, `scene/nodata`. */
  async likely(
    view: string,
    point: Point,
    from: Crs | null,
    words: string[][],
    templates: RunSettings['templates'],
    signal?: AbortSignal,
  ): Promise<LikelyWords> {
    const [place] = this.#placesIn(this.#viewNamed(view, null), [point], from);
    const question = { view, ...place!, words, templates: templates as never };
    return await this.#run('likelyWords', question, { signal: this.#next('likely', signal) });
  }

  /** An example of points of the encoded view. Throws as `likely`. */
  async example(
    view: string,
    points: readonly Point[],
    from: Crs | null,
    settings: RunSettings,
    signal?: AbortSignal,
  ): Promise<Example> {
    const kept = this.#viewNamed(view, null);
    const { knownWords } = kept.pack.manifest;
    const words = plainWords(settings.prompts.flatMap((prompt) => prompt.words));
    const unknown = new Set(knownWords === null ? [] : unknownWords(knownWords, words));
    const { feature, direction } = await this.#run(
      'exampleOfView',
      {
        view,
        places: this.#placesIn(kept, points, from),
        words: words.filter((word) => !unknown.has(word)),
        templates: settings.templates as never,
      },
      { signal },
    );
    return { feature: Array.from(feature), direction: Array.from(direction) };
  }

  async close(): Promise<void> {
    if (this.#idle) clearTimeout(this.#idle);
    this.#encoding?.abort(new Cancelled());
    for (const asking of this.#asking.values()) asking.abort(new Cancelled());
    await this.#end();
  }

  #viewNamed(view: string, key: string | null): EncodedView {
    const kept = this.#view;
    if (kept?.view === view && (key === null || kept.key === key)) return kept;
    throw new Problem(
      'live/none',
      kept?.view === view
        ? 'The view was encoded with other settings.'
        : 'What was encoded for the preview is no longer there.',
      'Press Preview: the view is encoded again.',
    );
  }

  /** Pixels of the view under points; throws `scene/outside-extent`. */
  #placesIn(
    { grid, system }: EncodedView,
    points: readonly Point[],
    from: Crs | null,
  ): { column: number; row: number }[] {
    const project = betweenOrThrow(from, system);
    const toPixels = invertAffine(grid.transform);
    return points.map(([x, y]) => {
      const [column, row] = applyAffine(toPixels, ...project(x, y)).map(Math.floor) as [number, number];
      if (column >= 0 && row >= 0 && column < grid.width && row < grid.height) return { column, row };
      throw new Problem(
        'scene/outside-extent',
        'The point does not lie in the preview.',
        'Choose one inside, or press Preview: what the map shows is encoded.',
      );
    });
  }

  /** The signal of the next question of a kind; the one before it ends. */
  #next(kind: Question, signal: AbortSignal | undefined): AbortSignal {
    this.#asking.get(kind)?.abort(new Cancelled('A newer question took its place.'));
    const own = new AbortController();
    this.#asking.set(kind, own);
    return signal ? AbortSignal.any([signal, own.signal]) : own.signal;
  }

  #show(
    { grid, crs }: EncodedView,
    classes: Uint8Array,
    confidence: Uint8Array,
    legend: LivePicture['classes'],
  ): LivePicture {
    const { width, height, transform } = grid;
    const id = `live-${randomBytes(6).toString('hex')}`;
    this.#shown.push(id);
    while (this.#shown.length > keptPictures) this.#pictures.remove(this.#shown.shift()!);
    this.#pictures.set(id, { width, height, classes, confidence });
    return this.#pictures.describe(id, { crs, transform: [...transform], classes: legend }, 'bin')!;
  }

  /** Asks the thread, which is started if there is none and ends when it is idle for long. */
  async #run<Name extends keyof Tasks>(
    task: Name,
    request: Tasks[Name]['request'],
    options: TaskOptions<Tasks[Name]['piece']>,
  ): Promise<Tasks[Name]['reply']> {
    if (this.#idle) clearTimeout(this.#idle);
    this.#idle = null;
    this.#active++;
    try {
      this.#thread ??= new EngineThread('preview');
      return await this.#thread.run(task, request, options);
    } catch (error) {
      // A thread that died is replaced by the next preview's.
      if (error instanceof Problem && error.code === 'engine/ended') {
        this.#thread = null;
        this.#view = null;
      }
      throw error;
    } finally {
      this.#active--;
      if (this.#active === 0 && this.#idle === null) {
        this.#idle = setTimeout(() => void this.#end(), idleTime);
        this.#idle.unref();
      }
    }
  }

  #inTurn<Reply>(work: () => Promise<Reply>): Promise<Reply> {
    const turn = this.#turn.then(work);
    this.#turn = turn.catch(() => {});
    return turn;
  }

  async #end(): Promise<void> {
    const thread = this.#thread;
    this.#thread = null;
    this.#view = null;
    await thread?.close();
  }
}
