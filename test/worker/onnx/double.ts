import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import type { Graph } from '../../../src/worker/onnx/graph.ts';
import { encodeModel } from '../../../src/worker/onnx/model-file.ts';
import {
  AttributeProto_AttributeType,
  type ModelProto,
  ModelProtoSchema,
  TensorProtoSchema,
} from '../../../src/worker/onnx/protobuf/onnx_pb.js';

const float = 1;
const double = 11;

/** The graph with every float32 made float64, so that differences show rules, not rounding. */
function inDouble(graph: Graph): ModelProto {
  const model = fromBinary(ModelProtoSchema, encodeModel(graph));
  for (const value of [...model.graph!.input, ...model.graph!.output]) {
    const type = value.type!.value;
    if (type.case === 'tensorType' && type.value.elemType === float) type.value.elemType = double;
  }
  model.graph!.initializer = model.graph!.initializer.map((tensor) => {
    if (tensor.dataType !== float) return tensor;
    const values = new Float32Array(tensor.rawData.slice().buffer);
    const rawData = new Uint8Array(Float64Array.from(values).buffer);
    return create(TensorProtoSchema, { name: tensor.name, dims: tensor.dims, dataType: double, rawData });
  });
  for (const node of model.graph!.node)
    for (const attribute of node.attribute)
      if (node.opType === 'Cast' && attribute.type === AttributeProto_AttributeType.INT && attribute.i === 1n)
        attribute.i = BigInt(double);
  return model;
}

export type Numbers = Record<string, { values: Float64Array | BigInt64Array; shape: readonly number[] }>;

/** A function that evaluates the graph, in float64 where the runtime's kernels can, else in float32. */
export async function evaluator(graph: Graph, precision: 'float64' | 'float32', threads = 1) {
  const bytes = precision === 'float64' ? toBinary(ModelProtoSchema, inDouble(graph)) : encodeModel(graph);
  const session = await InferenceSession.create(bytes, {
    intraOpNumThreads: threads,
    graphOptimizationLevel: 'all',
  });
  return async (inputs: Numbers): Promise<Record<string, Float64Array>> => {
    const feeds: Record<string, Tensor> = {};
    for (const [name, { values, shape }] of Object.entries(inputs)) {
      if (!graph.inputs.some((input) => input.name === name)) continue;
      if (values instanceof BigInt64Array) feeds[name] = new Tensor('int64', values, [...shape]);
      else if (precision === 'float64') feeds[name] = new Tensor('float64', values, [...shape]);
      else feeds[name] = new Tensor('float32', Float32Array.from(values), [...shape]);
    }
    const results = await session.run(feeds);
    return Object.fromEntries(
      Object.entries(results).map(([name, tensor]) => [name, Float64Array.from(tensor.data as Float32Array)]),
    );
  };
}
