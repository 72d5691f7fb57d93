import { create, toBinary } from '@bufbuild/protobuf';
import type { Graph } from './graph.ts';
import type { AttributeValue, Initializer, Node, Value } from './node.ts';
import {
  type AttributeProto,
  AttributeProto_AttributeType,
  AttributeProtoSchema,
  GraphProtoSchema,
  ModelProtoSchema,
  NodeProtoSchema,
  OperatorSetIdProtoSchema,
  StringStringEntryProtoSchema,
  type TensorProto,
  TensorProto_DataLocation,
  TensorProtoSchema,
  TensorShapeProto_DimensionSchema,
  TensorShapeProtoSchema,
  TypeProto_TensorSchema,
  TypeProtoSchema,
  type ValueInfoProto,
  ValueInfoProtoSchema,
} from './protobuf/onnx_pb.js';
import { elementTypeCode } from './shape.ts';
import type { TensorArray } from './tensor.ts';

/** Where a parameter's bytes lie: a file beside the graph, little-endian, row-major. */
export interface ExternalTensor {
  /** File name relative to the graph's folder. */
  location: string;
  /** Bytes from the file's start. */
  offset: number;
  /** Bytes. */
  length: number;
}

/** The operator set and file version we write: the newest that ONNX 1.12's checker knows. */
const operatorSet = 17;
const irVersion = 8;

/** ONNX Runtime's own operators that our graphs use (its ContribOperators.md), and their operator set. */
const runtimeOperators = new Set(['DynamicQuantizeMatMul']);
const runtimeDomain = 'com.microsoft';

/**
 * The graph as the bytes of an ONNX model. `locate` says where each parameter's contents are: bytes to embed, or a
 * place in an external file; not needed for graphs without parameters.
 */
export function encodeModel(
  graph: Graph,
  locate: (name: string) => TensorArray | ExternalTensor = (name) => {
    throw new Error(`graph ${graph.name}: nobody knows where parameter ${name} is`);
  },
): Uint8Array {
  const model = create(ModelProtoSchema, {
    irVersion: BigInt(irVersion),
    producerName: 'Landscribe',
    opsetImport: [
      create(OperatorSetIdProtoSchema, { domain: '', version: BigInt(operatorSet) }),
      ...(graph.nodes.some(({ operator }) => runtimeOperators.has(operator))
        ? [create(OperatorSetIdProtoSchema, { domain: runtimeDomain, version: 1n })]
        : []),
    ],
    graph: create(GraphProtoSchema, {
      name: graph.name,
      node: graph.nodes.map(encodeNode),
      input: graph.inputs.map(encodeValue),
      output: graph.outputs.map(encodeValue),
      initializer: graph.initializers.map((initializer) => encodeInitializer(initializer, locate)),
    }),
  });
  return toBinary(ModelProtoSchema, model);
}

function encodeNode(node: Node) {
  return create(NodeProtoSchema, {
    name: node.name,
    opType: node.operator,
    ...(runtimeOperators.has(node.operator) && { domain: runtimeDomain }),
    input: [...node.inputs],
    output: [...node.outputs],
    attribute: Object.entries(node.attributes).map(([name, value]) => encodeAttribute(name, value)),
  });
}

function encodeAttribute(name: string, value: AttributeValue): AttributeProto {
  if (typeof value === 'number') {
    return create(AttributeProtoSchema, { name, type: AttributeProto_AttributeType.INT, i: BigInt(value) });
  }
  if (typeof value === 'string') {
    return create(AttributeProtoSchema, {
      name,
      type: AttributeProto_AttributeType.STRING,
      s: new TextEncoder().encode(value),
    });
  }
  if ('float' in value) {
    return create(AttributeProtoSchema, { name, type: AttributeProto_AttributeType.FLOAT, f: value.float });
  }
  if ('body' in value) {
    const { nodes, inputs, outputs } = value.body;
    return create(AttributeProtoSchema, {
      name,
      type: AttributeProto_AttributeType.GRAPH,
      g: create(GraphProtoSchema, {
        name,
        node: nodes.map(encodeNode),
        input: inputs.map(encodeValue),
        output: outputs.map(encodeValue),
      }),
    });
  }
  return create(AttributeProtoSchema, {
    name,
    type: AttributeProto_AttributeType.INTS,
    ints: value.map(BigInt),
  });
}

function encodeValue(value: Value): ValueInfoProto {
  const dimensions = value.shape.map((dimension) =>
    create(TensorShapeProto_DimensionSchema, {
      value:
        typeof dimension === 'number'
          ? { case: 'dimValue', value: BigInt(dimension) }
          : { case: 'dimParam', value: dimension },
    }),
  );
  return create(ValueInfoProtoSchema, {
    name: value.name,
    type: create(TypeProtoSchema, {
      value: {
        case: 'tensorType',
        value: create(TypeProto_TensorSchema, {
          elemType: elementTypeCode[value.type],
          shape: create(TensorShapeProtoSchema, { dim: dimensions }),
        }),
      },
    }),
  });
}

function encodeInitializer(
  initializer: Initializer,
  locate: (name: string) => TensorArray | ExternalTensor,
): TensorProto {
  const { value, contents } = initializer;
  const tensor = create(TensorProtoSchema, {
    name: value.name,
    dataType: elementTypeCode[value.type],
    dims: value.shape.map((dimension) => BigInt(dimension)),
  });
  const place = contents ?? locate(value.name);
  if (ArrayBuffer.isView(place)) {
    tensor.rawData = new Uint8Array(place.buffer, place.byteOffset, place.byteLength);
    return tensor;
  }
  tensor.dataLocation = TensorProto_DataLocation.EXTERNAL;
  tensor.externalData = [
    create(StringStringEntryProtoSchema, { key: 'location', value: place.location }),
    create(StringStringEntryProtoSchema, { key: 'offset', value: String(place.offset) }),
    create(StringStringEntryProtoSchema, { key: 'length', value: String(place.length) }),
  ];
  return tensor;
}
