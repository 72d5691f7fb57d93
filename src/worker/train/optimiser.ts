import type { Graph } from '../onnx/graph.ts';
import type { Value } from '../onnx/node.ts';
import { add, divide, minimum, multiply, reduceSumSquare, squareRoot, subtract } from '../onnx/operators.ts';
import type { TrainedParameter } from './parameters.ts';

export interface OptimiserOptions {
  /** AdamW (arXiv 1711.05101), or NAdam (Dozat 2016) with PyTorch's momentum schedule. */
  kind: 'adamw' | 'nadam';
  beta1: number;
  beta2: number;
  epsilon: number;
  /** Decoupled decay, per learning rate; for matrices and kernels only. */
  weightDecay: number;
  /** Decay of an exponential moving average of the parameters; null keeps none. */
  averageDecay: number | null;
}

/** A tensor that goes from one step's outputs into the next step's inputs. */
export interface StepState {
  readonly input: string;
  readonly output: string;
  readonly shape: readonly number[];
  readonly parameter: TrainedParameter;
  readonly role: 'value' | 'first' | 'second' | 'average';
}

/** Numbers of one step that the host computes, by the name of the graph's input `[]`. */
export type StepNumbers = Record<
  'momentum_rate' | 'gradient_rate' | 'decay_rate' | 'second_scale' | 'gradient_limit' | 'average_decay',
  number
>;

const numberNames = [
  'momentum_rate',
  'gradient_rate',
  'decay_rate',
  'second_scale',
  'gradient_limit',
  'average_decay',
] as const;

/**
 * Appends the optimiser: with s = min(1, limit / ‖all gradients‖), m' = β₁m + (1 - β₁)s·g, v' = β₂v + (1 - β₂)(s·g)²,
 * p' = p - decay·p - (momentum_rate·m' + gradient_rate·s·g) / (√v' + second_scale). AdamW and NAdam differ in the
 * rates only, which `stepNumbers` computes; both bias corrections are folded into them.
 */
export function appendOptimiser(
  graph: Graph,
  trained: readonly TrainedParameter[],
  gradients: readonly Value[],
  options: OptimiserOptions,
): StepState[] {
  return graph.scope('optimiser', () => {
    const number = new Map(numberNames.map((name) => [name, graph.input(name, 'float32', [])] as const));
    const rate = (name: (typeof numberNames)[number]) => number.get(name)!;
    const { beta1, beta2, averageDecay } = options;
    const squares = gradients.map((gradient) =>
      reduceSumSquare(
        graph,
        gradient,
        gradient.shape.map((_, axis) => axis),
        false,
      ),
    );
    const norm = squareRoot(
      graph,
      squares.reduce((sum, square) => add(graph, sum, square)),
    );
    graph.output('gradient_norm', norm);
    const scale = minimum(
      graph,
      divide(graph, rate('gradient_limit'), add(graph, norm, graph.scalar(1e-6))),
      graph.scalar(1),
    );
    const firstShare = multiply(graph, scale, graph.scalar(1 - beta1));
    const secondShare = multiply(graph, multiply(graph, scale, scale), graph.scalar(1 - beta2));
    const directShare = multiply(graph, scale, rate('gradient_rate'));
    const keep = subtract(graph, graph.scalar(1), rate('decay_rate'));

    const states: StepState[] = [];
    trained.forEach((parameter, at) => {
      const gradient = gradients[at]!;
      const { value } = parameter;
      const shape = value.shape as readonly number[];
      const state = (role: StepState['role'], next: (previous: Value) => Value): Value => {
        const input = role === 'value' ? value.name : `${value.name}.${role}`;
        const previous = role === 'value' ? value : graph.input(input, 'float32', shape);
        const output = `${input}.next`;
        const result = graph.output(output, next(previous));
        states.push({ input, output, shape, parameter, role });
        return result;
      };
      graph.scope(value.name, () => {
        const first = state('first', (m) =>
          add(graph, multiply(graph, m, graph.scalar(beta1)), multiply(graph, gradient, firstShare)),
        );
        const second = state('second', (v) =>
          add(
            graph,
            multiply(graph, v, graph.scalar(beta2)),
            multiply(graph, multiply(graph, gradient, gradient), secondShare),
          ),
        );
        const updated = state('value', (p) => {
          const momentum = multiply(graph, first, rate('momentum_rate'));
          const direction =
            options.kind === 'nadam'
              ? add(graph, momentum, multiply(graph, gradient, directShare))
              : momentum;
          const change = divide(
            graph,
            direction,
            add(graph, squareRoot(graph, second), rate('second_scale')),
          );
          const decays = options.weightDecay > 0 && parameter.shape.length > 1;
          return subtract(graph, decays ? multiply(graph, p, keep) : p, change);
        });
        if (averageDecay === null) return;
        state('average', (average) =>
          add(graph, updated, multiply(graph, subtract(graph, average, updated), rate('average_decay'))),
        );
      });
    });
    return states;
  });
}

/** Product of NAdam's momentum schedule up to each step. */
function nadamMomentum(step: number, beta1: number): { now: number; next: number; product: number } {
  const at = (t: number) => beta1 * (1 - 0.5 * 0.96 ** (t * 0.004));
  let product = 1;
  for (let t = 1; t <= step; t++) product *= at(t);
  return { now: at(step), next: at(step + 1), product };
}

/** The rates of step `step` (from 1). `gradientLimit` is the largest global norm of the gradients. */
export function stepNumbers(
  options: OptimiserOptions,
  step: number,
  learningRate: number,
  gradientLimit: number,
): StepNumbers {
  const { beta1, beta2, epsilon, weightDecay, averageDecay } = options;
  const second = Math.sqrt(1 - beta2 ** step);
  let momentumRate = learningRate / (1 - beta1 ** step);
  let gradientRate = 0;
  if (options.kind === 'nadam') {
    const { now, next, product } = nadamMomentum(step, beta1);
    gradientRate = (learningRate * (1 - now)) / (1 - product);
    momentumRate = (learningRate * next) / (1 - product * next);
  }
  return {
    momentum_rate: momentumRate * second,
    gradient_rate: gradientRate * second,
    decay_rate: learningRate * weightDecay,
    second_scale: epsilon * second,
    gradient_limit: gradientLimit,
    // The average starts at the first values, so it must forget faster at first.
    average_decay: averageDecay === null ? 0 : Math.min(averageDecay, step / (step + 10)),
  };
}
