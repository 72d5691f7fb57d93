import type { EncodedWindow } from '../features/encoded-window.ts';
import { type AttentionName, variantName } from '../net/attention.ts';
import type { Pack } from '../pack/open-pack.ts';
import { Problem, throwIfCancelled } from '../report/problem.ts';
import { Session, type SessionOptions } from './session.ts';
import { padToTokens } from './token-grid.ts';

export interface EncoderSettings {
  modality: 'optical' | 'sar';
  attention: AttentionName;
  lastLayers: number;
}

/** Turns windows into tokens with one of a pack's encoders; the words play no part in it. */
export class WindowEncoder {
  readonly #patch: number;
  readonly #session: Session;

  private constructor(patch: number, session: Session) {
    this.#patch = patch;
    this.#session = session;
  }

  /** Throws `pack/no-sar` and `pack/no-variant` for what the pack has not, `provider/precision` off the processor. */
  static async open(pack: Pack, settings: EncoderSettings, options: SessionOptions): Promise<WindowEncoder> {
    const { encoders, geometry, name, precision } = pack.manifest;
    if (precision === 'int8' && options.provider !== 'cpu') {
      throw new Problem(
        'provider/precision',
        `Pack ${name} computes in int8, which only the processor does.`,
        'Use --provider cpu, or a float16 pack.',
      );
    }
    const encoder = encoders[settings.modality];
    if (!encoder) {
      throw new Problem('pack/no-sar', `Pack ${name} has no SAR encoder.`, 'Use a pack that has one.');
    }
    const variant = variantName(settings.attention, settings.lastLayers);
    const graph = encoder.graphs[variant];
    if (!graph) {
      throw new Problem(
        'pack/no-variant',
        `Pack ${name} has no ${variant} graph.`,
        `Choose another attention: ${Object.keys(encoder.graphs).join(', ')}.`,
      );
    }
    return new WindowEncoder(geometry.vision.patch, await Session.open(pack, graph, options));
  }

  /** @param pixels normalised colours `[3, height, width]`, padded with zeros to whole patches */
  async encode(
    pixels: Float32Array,
    height: number,
    width: number,
    signal?: AbortSignal,
  ): Promise<EncodedWindow> {
    throwIfCancelled(signal);
    const { image, rows, columns } = padToTokens(pixels, height, width, this.#patch);
    const { tokens, cls } = await this.#session.run({ image });
    return { rows, columns, tokens: tokens!.values as Float32Array, cls: cls!.values as Float32Array };
  }

  close(): Promise<void> {
    return this.#session.close();
  }
}
