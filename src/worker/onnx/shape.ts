import type { AttributeValue, Value } from './node.ts';
import type { Dimension, ElementType, Shape } from './tensor.ts';

interface Result {
  type: ElementType;
  shape: Shape;
}

type Attributes = Readonly<Record<string, AttributeValue>>;
type Rule = (inputs: readonly Value[], attributes: Attributes, given: Shape | undefined) => Result;

/** The shape that numpy broadcasting gives two shapes. Symbols broadcast with themselves and with 1. */
export function broadcast(a: Shape, b: Shape): Dimension[] {
  const rank = Math.max(a.length, b.length);
  const result: Dimension[] = [];
  for (let i = 0; i < rank; i++) {
    const left = a[a.length - rank + i] ?? 1;
    const right = b[b.length - rank + i] ?? 1;
    if (left === right || right === 1) result.push(left);
    else if (left === 1) result.push(right);
    else if (typeof left === 'string' || typeof right === 'string') {
      result.push(typeof left === 'string' ? right : left);
    } else throw new Error(`shapes [${a.join()}] and [${b.join()}] do not broadcast`);
  }
  return result;
}

const same: Rule = ([x]) => ({ type: x!.type, shape: x!.shape });
const elementwise: Rule = ([a, b]) => ({ type: a!.type, shape: broadcast(a!.shape, b!.shape) });
const comparison: Rule = ([a, b]) => ({ type: 'bool', shape: broadcast(a!.shape, b!.shape) });
const stated: Rule = ([x], _attributes, given) => ({ type: x!.type, shape: given! });
const index: Rule = (_inputs, _attributes, given) => ({ type: 'int64', shape: given! });

const reduction: Rule = (inputs, attributes, given) => {
  const [x] = inputs;
  if (given) return { type: x!.type, shape: given };
  const axes = attributes.axes as readonly number[];
  const positive = axes.map((axis) => (axis < 0 ? axis + x!.shape.length : axis));
  const keep = attributes.keepdims !== 0;
  const shape = x!.shape
    .map((dimension, axis): Dimension | null => (positive.includes(axis) ? (keep ? 1 : null) : dimension))
    .filter((dimension): dimension is Dimension => dimension !== null);
  return { type: x!.type, shape };
};

/** ONNX element type codes (onnx.proto3, TensorProto.DataType). */
export const elementTypeCode: Record<ElementType, number> = {
  float32: 1,
  uint8: 2,
  int8: 3,
  int32: 6,
  int64: 7,
  bool: 9,
  float16: 10,
};

function typeOfCode(code: number): ElementType {
  for (const [type, value] of Object.entries(elementTypeCode)) if (value === code) return type as ElementType;
  throw new Error(`element type ${code} is not in the operator set`);
}

/** What each operator of our set makes of its inputs. Operators whose result hangs on run-time numbers take `given`. */
const rules: Record<string, Rule> = {
  Identity: same,
  Neg: same,
  Exp: same,
  Log: same,
  Sqrt: same,
  Erf: same,
  Tanh: same,
  Sigmoid: same,
  Abs: same,
  Floor: same,
  Sign: same,
  Clip: same,
  Softmax: same,
  Reciprocal: same,
  LayerNormalization: same,
  Not: same,
  Add: elementwise,
  Sub: elementwise,
  Mul: elementwise,
  Div: elementwise,
  Max: elementwise,
  Min: elementwise,
  Pow: elementwise,
  Mod: elementwise,
  Equal: comparison,
  Less: comparison,
  LessOrEqual: comparison,
  Greater: comparison,
  GreaterOrEqual: comparison,
  And: comparison,
  Or: comparison,
  Where: ([condition, a, b]) => ({
    type: a!.type,
    shape: broadcast(condition!.shape, broadcast(a!.shape, b!.shape)),
  }),
  DynamicQuantizeMatMul: ([a, b]) => ({
    type: a!.type,
    shape: [...a!.shape.slice(0, -1), b!.shape.at(-1)!],
  }),
  MatMul: ([a, b]) => {
    const inner = a!.shape.at(-1);
    const rows = b!.shape.at(-2);
    if (typeof inner === 'number' && typeof rows === 'number' && inner !== rows)
      throw new Error(`MatMul of [${a!.shape.join()}] (${a!.name}) and [${b!.shape.join()}] (${b!.name})`);
    const batch = broadcast(a!.shape.slice(0, -2), b!.shape.slice(0, -2));
    return { type: a!.type, shape: [...batch, a!.shape.at(-2)!, b!.shape.at(-1)!] };
  },
  Transpose: ([x], attributes) => ({
    type: x!.type,
    shape: (attributes.perm as readonly number[]).map((axis) => x!.shape[axis]!),
  }),
  Concat: (inputs, attributes, given) => {
    const first = inputs[0]!;
    if (given) return { type: first.type, shape: given };
    const axis = attributes.axis as number;
    const at = axis < 0 ? axis + first.shape.length : axis;
    const lengths = inputs.map((input) => input.shape[at]!);
    const length = lengths.every((dimension) => typeof dimension === 'number')
      ? (lengths as number[]).reduce((sum, dimension) => sum + dimension, 0)
      : lengths.join('+');
    return {
      type: first.type,
      shape: first.shape.map((dimension, i) => (i === at ? length : dimension)),
    };
  },
  Gather: ([x, indices], attributes) => {
    const axis = (attributes.axis as number | undefined) ?? 0;
    const at = axis < 0 ? axis + x!.shape.length : axis;
    return {
      type: x!.type,
      shape: [...x!.shape.slice(0, at), ...indices!.shape, ...x!.shape.slice(at + 1)],
    };
  },
  GatherElements: ([x, indices]) => ({ type: x!.type, shape: indices!.shape }),
  ScatterElements: same,
  ScatterND: same,
  Cast: ([x], attributes) => ({ type: typeOfCode(attributes.to as number), shape: x!.shape }),
  Unsqueeze: stated,
  Squeeze: stated,
  Reshape: stated,
  Slice: stated,
  Expand: stated,
  Tile: stated,
  Pad: stated,
  Resize: stated,
  Conv: stated,
  ConvTranspose: stated,
  AveragePool: stated,
  Range: stated,
  Shape: index,
  ArgMax: index,
  ReduceSum: reduction,
  ReduceMean: reduction,
  ReduceMax: reduction,
  ReduceMin: reduction,
  ReduceSumSquare: reduction,
};

/** Type and shape of a node's single result; an operator outside our set is an error. */
export function inferShape(
  operator: string,
  inputs: readonly (Value | null)[],
  attributes: Attributes,
  given: Shape | undefined,
): Result {
  const rule = rules[operator];
  if (!rule) throw new Error(`operator ${operator} is not in our set`);
  return rule(
    inputs.filter((input): input is Value => input !== null),
    attributes,
    given,
  );
}
