import type { Graph } from '../onnx/graph.ts';
import type { Value } from '../onnx/node.ts';
import {
  add,
  gelu,
  layerNorm,
  matmul,
  multiply,
  quickGelu,
  softmax,
  split,
  transpose,
} from '../onnx/operators.ts';
import type { Parameters } from './parameters.ts';

export type Activation = 'quickgelu' | 'gelu';

/** The queries, keys and values of one block's heads, each `[B, heads, N, width / heads]`. */
export interface Heads {
  /** What they are projected from, `ln_1(x)`: `[B, N, width]`. */
  input: Value;
  query: Value;
  key: Value;
  value: Value;
}

/** One residual attention block of CLIP: `x += attn(ln_1 x); x += mlp(ln_2 x)`. Tokens are `[B, N, width]`. */
export class Block {
  readonly #graph: Graph;
  readonly #parameters: Parameters;
  readonly #prefix: string;
  readonly #heads: number;
  readonly #activation: Activation;

  constructor(graph: Graph, parameters: Parameters, prefix: string, heads: number, activation: Activation) {
    this.#graph = graph;
    this.#parameters = parameters;
    this.#prefix = prefix;
    this.#heads = heads;
    this.#activation = activation;
  }

  /** Heads of `ln_1(x)`. */
  heads(x: Value): Heads {
    const graph = this.#graph;
    return graph.scope(`${this.#prefix}.attention`, () => {
      const normed = layerNorm(graph, x, this.#tensor('ln_1.weight'), this.#tensor('ln_1.bias'));
      const projected = this.#linear(normed, 'attn.in_proj_weight', 'attn.in_proj_bias');
      const width = x.shape[2] as number;
      const [query, key, value] = split(graph, projected, 2, [width, width, width]).map((part) =>
        this.#separate(part),
      );
      return { input: normed, query: query!, key: key!, value: value! };
    });
  }

  /** `out_proj(attention · value)` for weights `[B, heads, N, N]`; null stands for the identity. */
  attend(weights: Value | null, value: Value): Value {
    const graph = this.#graph;
    return graph.scope(`${this.#prefix}.attention`, () => {
      const mixed = weights === null ? value : matmul(graph, weights, value);
      const joined = transpose(graph, mixed, [0, 2, 1, 3]);
      const [, count, heads, size] = joined.shape;
      const flat = graph.reshape(joined, [
        graph.sizeOf(value, 0),
        typeof count === 'number' ? count : graph.sizeOf(value, 2),
        (heads as number) * (size as number),
      ]);
      return this.#linear(flat, 'attn.out_proj.weight', 'attn.out_proj.bias');
    });
  }

  /** The block's ordinary step, given the heads of `x`; `mask` is added to the attention scores. */
  step(x: Value, heads: Heads, mask: Value | null = null): Value {
    const graph = this.#graph;
    const weights = graph.scope(`${this.#prefix}.attention`, () =>
      attention(graph, heads.query, heads.key, mask),
    );
    const attended = add(graph, x, this.attend(weights, heads.value));
    return graph.scope(`${this.#prefix}.mlp`, () => {
      const normed = layerNorm(graph, attended, this.#tensor('ln_2.weight'), this.#tensor('ln_2.bias'));
      const hidden = this.#linear(normed, 'mlp.c_fc.weight', 'mlp.c_fc.bias');
      const active = this.#activation === 'gelu' ? gelu(graph, hidden) : quickGelu(graph, hidden);
      return add(graph, attended, this.#linear(active, 'mlp.c_proj.weight', 'mlp.c_proj.bias'));
    });
  }

  #tensor(name: string): Value {
    return this.#parameters.tensor(`${this.#prefix}.${name}`);
  }

  #linear(x: Value, weight: string, bias: string): Value {
    const product = matmul(this.#graph, x, this.#parameters.matrix(`${this.#prefix}.${weight}`));
    return add(this.#graph, product, this.#tensor(bias));
  }

  /** `[B, N, width]` to `[B, heads, N, width / heads]`. */
  #separate(x: Value): Value {
    const graph = this.#graph;
    const size = (x.shape[2] as number) / this.#heads;
    const apart = graph.reshape(x, [graph.sizeOf(x, 0), graph.sizeOf(x, 1), this.#heads, size]);
    return transpose(graph, apart, [0, 2, 1, 3]);
  }
}

/** `softmax(a · bᵀ / √size + mask)` over keys, for `[B, heads, N, size]`. */
export function attention(graph: Graph, a: Value, b: Value, mask: Value | null = null): Value {
  const scale = (a.shape[3] as number) ** -0.5;
  const scores = matmul(graph, multiply(graph, a, graph.scalar(scale)), transpose(graph, b, [0, 1, 3, 2]));
  return softmax(graph, mask === null ? scores : add(graph, scores, mask));
}
