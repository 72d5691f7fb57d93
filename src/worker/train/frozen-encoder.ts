import { InferenceSession, Tensor } from 'onnxruntime-node';
import type { AttentionName } from '../net/attention.ts';
import { graphParameters, transposedSuffix } from '../net/parameters.ts';
import { projectTokens, visionTower } from '../net/vision.ts';
import { pruneGraph } from '../onnx/grad.ts';
import { Graph } from '../onnx/graph.ts';
import { encodeModel } from '../onnx/model-file.ts';
import { clipShapes } from '../weights/geometry.ts';
import type { NamedWeights } from '../weights/named-weights.ts';
import { type ClipGeometry, ordinaryCls } from './clip.ts';
import { transposeMatrix } from './parameters.ts';

/**
 * Which tokens a frozen encoder gives: `dense`, those that segmentation uses; `block-input`, the input of the last
 * block after `ln_post` and projection, which SimFeatUp's paper trains on.
 */
export type FrozenTokens = 'dense' | 'block-input';

/** An image encoder that only runs: the teacher of an upsampler or of another encoder. */
export class FrozenEncoder {
  readonly #session: InferenceSession;
  readonly #side: number;

  private constructor(session: InferenceSession, side: number) {
    this.#session = session;
    this.#side = side;
  }

  static async open(
    geometry: ClipGeometry,
    weights: NamedWeights,
    kind: FrozenTokens,
    lastLayers: number,
    threads: number,
    attention: AttentionName = 'segearth',
  ): Promise<FrozenEncoder> {
    const { vision, activation } = geometry;
    const side = vision.grid * vision.patch;
    const shapes = clipShapes(geometry);
    const graph = new Graph('frozen-encoder');
    const parameters = graphParameters(graph, (name) => shapes.get(name)!);
    const image = graph.input('images', 'float32', ['batch', 3, side, side]);
    const tower = visionTower(graph, parameters, vision, activation, attention, lastLayers, image);
    const tokens = kind === 'dense' ? tower.tokens : projectTokens(graph, parameters, tower.last.x).tokens;
    graph.output('tokens', tokens);
    graph.output('cls', ordinaryCls(graph, parameters, tower.last));
    pruneGraph(graph);

    const values = new Map<string, Float32Array>();
    for (const { value, contents } of graph.initializers) {
      if (contents !== null) continue;
      const name = value.name.endsWith(transposedSuffix)
        ? value.name.slice(0, -transposedSuffix.length)
        : value.name;
      const [rows, columns] = shapes.get(name)!;
      const read = await weights.read(name);
      values.set(value.name, name === value.name ? read : transposeMatrix(read, rows!, columns!));
    }
    const session = await InferenceSession.create(
      encodeModel(graph, (name) => values.get(name)!),
      {
        intraOpNumThreads: threads,
        logSeverityLevel: 3,
        extra: { session: { intra_op: { allow_spinning: '0' } } },
      },
    );
    return new FrozenEncoder(session, side);
  }

  /** `images` `[B, 3, S, S]`, normalised, to `tokens` `[B, N, D]` and the ordinary CLS `[B, D]`. */
  async encode(images: Float32Array): Promise<{ tokens: Float32Array; cls: Float32Array }> {
    const side = this.#side;
    const count = images.length / (3 * side * side);
    const { tokens, cls } = await this.#session.run({
      images: new Tensor('float32', images, [count, 3, side, side]),
    });
    return { tokens: tokens!.data as Float32Array, cls: cls!.data as Float32Array };
  }

  async release(): Promise<void> {
    await this.#session.release();
  }
}
