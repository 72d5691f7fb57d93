import { InferenceSession, Tensor } from 'onnxruntime-node';
import { gradients, pruneGraph } from '../onnx/grad.ts';
import type { Graph } from '../onnx/graph.ts';
import { encodeModel } from '../onnx/model-file.ts';
import type { Value } from '../onnx/node.ts';
import { elementCount } from '../onnx/tensor.ts';
import { type NamedWeights, weightsInMemory } from '../weights/named-weights.ts';
import { appendOptimiser, type OptimiserOptions, type StepState, stepNumbers } from './optimiser.ts';
import { type TrainedParameter, type TrainingParameters, transposeMatrix } from './parameters.ts';

/** The graph of one training step: losses, gradients and optimiser. */
export interface StepGraph {
  readonly graph: Graph;
  readonly states: readonly StepState[];
  /** Names of the outputs `[]` that are reported. */
  readonly reports: readonly string[];
  readonly options: OptimiserOptions;
}

/**
 * Completes a forward graph to a training step that lowers `loss`. `reports` are scalars by the name under which a
 * step returns them; `loss` and `gradient_norm` are added.
 */
export function stepGraph(
  graph: Graph,
  parameters: TrainingParameters,
  loss: Value,
  reports: Readonly<Record<string, Value>>,
  options: OptimiserOptions,
): StepGraph {
  const found = gradients(
    graph,
    loss,
    parameters.trained.map(({ value }) => value),
  );
  const trained: TrainedParameter[] = [];
  const used: Value[] = [];
  found.forEach((gradient, at) => {
    const parameter = parameters.trained[at]!;
    if (!gradient) throw new Error(`the loss does not hang on ${parameter.name}`);
    trained.push(parameter);
    used.push(gradient);
  });
  graph.output('loss', loss);
  for (const [name, value] of Object.entries(reports)) graph.output(name, value);
  const states = appendOptimiser(graph, trained, used, options);
  pruneGraph(graph);
  return { graph, states, reports: ['loss', 'gradient_norm', ...Object.keys(reports)], options };
}

/** What a checkpoint keeps beside the weights, by the graph's names. */
export type SavedState = ReadonlyMap<string, { shape: readonly number[]; values: Float32Array }>;

/**
 * Runs training steps. Parameters and optimiser state lie in two sets of buffers; a step reads one and writes the
 * other, so nothing is copied or allocated between steps.
 */
export class Stepper {
  readonly #step: StepGraph;
  readonly #session: InferenceSession;
  #now: Map<string, Tensor>;
  #next: Map<string, Tensor>;
  /** Steps done. */
  count = 0;

  private constructor(step: StepGraph, session: InferenceSession) {
    this.#step = step;
    this.#session = session;
    const buffers = () =>
      new Map(
        step.states.map(({ input, shape }) => [
          input,
          new Tensor('float32', new Float32Array(elementCount(shape)), [...shape]),
        ]),
      );
    this.#now = buffers();
    this.#next = buffers();
  }

  /** Compiles the step and starts from `weights`. On one thread, steps are the same bit for bit. */
  static async create(step: StepGraph, weights: NamedWeights, threads: number): Promise<Stepper> {
    const session = await InferenceSession.create(encodeModel(step.graph), {
      intraOpNumThreads: threads,
      interOpNumThreads: 1,
      graphOptimizationLevel: 'all',
      logSeverityLevel: 3,
      // Beside other work, spinning threads take each other's time.
      extra: { session: { intra_op: { allow_spinning: '0' } } },
    });
    const stepper = new Stepper(step, session);
    for (const { input, parameter, role } of step.states) {
      if (role !== 'value' && role !== 'average') continue;
      const { name, shape, transposed } = parameter;
      const values = await weights.read(name);
      const expected = elementCount(shape);
      if (values.length !== expected)
        throw new Error(`${weights.source}: ${name} has ${values.length} values, not ${expected}`);
      const own = stepper.#now.get(input)!.data as Float32Array;
      own.set(transposed ? transposeMatrix(values, shape[0]!, shape[1]!) : values);
    }
    return stepper;
  }

  /** One step on `batch` (every other input of the graph); returns the reports. */
  async run(
    batch: Readonly<Record<string, Tensor>>,
    learningRate: number,
    gradientLimit: number,
  ): Promise<Record<string, number>> {
    const feeds: Record<string, Tensor> = { ...batch };
    const numbers = stepNumbers(this.#step.options, this.count + 1, learningRate, gradientLimit);
    const inputs = new Set(this.#session.inputNames);
    for (const [name, number] of Object.entries(numbers))
      if (inputs.has(name)) feeds[name] = new Tensor('float32', new Float32Array([number]), []);
    const fetches: Record<string, Tensor | null> = {};
    for (const { input, output } of this.#step.states) {
      if (inputs.has(input)) feeds[input] = this.#now.get(input)!;
      fetches[output] = this.#next.get(input)!;
    }
    for (const name of this.#step.reports) fetches[name] = null;
    const results = await this.#session.run(feeds, fetches);
    [this.#now, this.#next] = [this.#next, this.#now];
    this.count++;
    return Object.fromEntries(
      this.#step.reports.map((name) => [name, (results[name]!.data as Float32Array)[0]!]),
    );
  }

  /** The parameters, or their moving averages, as a checkpoint holds them. */
  weights(source: string, role: 'value' | 'average' = 'value'): NamedWeights {
    const tensors = new Map<string, { shape: readonly number[]; values: Float32Array }>();
    for (const state of this.#step.states) {
      if (state.role !== role) continue;
      const { name, shape, transposed } = state.parameter;
      const values = (this.#now.get(state.input)!.data as Float32Array).slice();
      tensors.set(name, {
        shape,
        values: transposed ? transposeMatrix(values, shape[1]!, shape[0]!) : values,
      });
    }
    return weightsInMemory(source, tensors);
  }

  /** Copies of everything that the next step reads. */
  state(): SavedState {
    return new Map(
      this.#step.states.map(({ input, shape }) => [
        input,
        { shape, values: (this.#now.get(input)!.data as Float32Array).slice() },
      ]),
    );
  }

  /** Goes on from `saved` with step `count + 1`. */
  async restore(saved: NamedWeights, count: number): Promise<void> {
    for (const { input, shape } of this.#step.states) {
      const values = await saved.read(input);
      if (values.length !== elementCount(shape))
        throw new Error(`${saved.source}: ${input} has another size`);
      (this.#now.get(input)!.data as Float32Array).set(values);
    }
    this.count = count;
  }

  async release(): Promise<void> {
    await this.#session.release();
  }
}

/** Floating-point operations of the graph's matrix products and convolutions; shapes must be known. */
export function productFlops(graph: Graph): number {
  let flops = 0;
  const size = (name: string) => graph.values.get(name)!.shape;
  for (const node of graph.nodes) {
    const result = elementCount(size(node.outputs[0]!));
    if (node.operator === 'MatMul') flops += 2 * result * (size(node.inputs[0]!).at(-1) as number);
    if (node.operator === 'Conv') flops += 2 * result * elementCount(size(node.inputs[1]!).slice(1));
  }
  return flops;
}
