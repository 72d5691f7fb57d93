import type { EncodedWindow } from '../features/encoded-window.ts';
import type { SessionOptions } from '../infer/session.ts';
import { type EncoderSettings, WindowEncoder } from '../infer/window-encoder.ts';
import { WordEncoder } from '../infer/words.ts';
import { type TemplateSetName, templateSets } from '../net/templates.ts';
import { openPack, type Pack } from '../pack/open-pack.ts';
import type { TaskContext } from './task-context.ts';

/** Bytes of encoded windows that a thread keeps. */
const keptBytes = 256 << 20;
const mostWords = 10_000;

/** What a thread keeps of a pack from one view to the next: loaded graphs, encoded words and windows. */
export class WarmPack {
  readonly pack: Pack;
  readonly key: string;
  readonly encoder: WindowEncoder;
  readonly #session: SessionOptions;
  #text: Promise<WordEncoder> | null = null;
  /** Embeddings by templates and word. */
  readonly #words = new Map<string, Float32Array>();
  /** By scene, settings and place; last used last. */
  readonly #windows = new Map<string, EncodedWindow>();
  #bytes = 0;

  private constructor(pack: Pack, key: string, encoder: WindowEncoder, session: SessionOptions) {
    this.pack = pack;
    this.key = key;
    this.encoder = encoder;
    this.#session = session;
  }

  static async open(folder: string, settings: EncoderSettings, session: SessionOptions): Promise<WarmPack> {
    const pack = await openPack(folder);
    const encoder = await WindowEncoder.open(pack, settings, session);
    return new WarmPack(pack, WarmPack.keyOf(pack, settings, session), encoder, session);
  }

  static keyOf(pack: Pack, settings: EncoderSettings, session: SessionOptions): string {
    return JSON.stringify([pack.checksum, settings, session]);
  }

  /** `[words, embedding]`; only words that were never asked for are encoded. */
  async embeddings(
    words: readonly string[],
    templates: TemplateSetName,
    { signal, report }: Pick<TaskContext, 'signal' | 'report'>,
  ): Promise<Float32Array> {
    const { embedding } = this.pack.manifest.geometry;
    const out = new Float32Array(words.length * embedding);
    for (const [i, word] of words.entries()) {
      const key = `${templates} ${word}`;
      let known = this.#words.get(key);
      if (!known) {
        const { threads } = this.#session;
        this.#text ??= WordEncoder.open(this.pack, threads);
        const sentences = templateSets[templates].templates;
        known = await (await this.#text).encodeWords([word], sentences, signal);
        if (this.#words.size >= mostWords) this.#words.clear();
        this.#words.set(key, known);
        report({ phase: 'reading words', done: i + 1, total: words.length, unit: 'words' });
        // A cancel comes in as an event.
        await new Promise((resolve) => setImmediate(resolve));
      }
      out.set(known, i * embedding);
    }
    return out;
  }

  /** The window of a key, encoded now if it is not kept. */
  async window(key: string, encode: () => Promise<EncodedWindow>): Promise<EncodedWindow> {
    const kept = this.#windows.get(key);
    const window = kept ?? (await encode());
    if (kept) this.#windows.delete(key);
    else this.#bytes += bytesOf(window);
    this.#windows.set(key, window);
    for (const [oldest, old] of this.#windows) {
      if (this.#bytes <= keptBytes) break;
      this.#windows.delete(oldest);
      this.#bytes -= bytesOf(old);
    }
    return window;
  }

  async close(): Promise<void> {
    await this.encoder.close();
    const text = await this.#text?.catch(() => null);
    await text?.close();
  }
}

function bytesOf({ tokens, cls }: EncodedWindow): number {
  return tokens.byteLength + cls.byteLength;
}
