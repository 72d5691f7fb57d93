import { fromBinary } from '@bufbuild/protobuf';
import type { ExternalTensor } from './model-file.ts';
import { ModelProtoSchema } from './protobuf/onnx_pb.js';
import { elementTypeCode } from './shape.ts';
import type { ElementType } from './tensor.ts';

/** A tensor that a model keeps in a file beside it. */
export interface StoredTensor {
  name: string;
  type: ElementType;
  shape: number[];
  place: ExternalTensor;
}

/**
 * The tensors that an encoded model keeps elsewhere. What it says of them is not checked against any file. Throws where
 * the bytes are no model or a tensor is not described as our own writer does it.
 */
export function storedTensors(bytes: Uint8Array): StoredTensor[] {
  const model = fromBinary(ModelProtoSchema, bytes);
  const types = new Map(Object.entries(elementTypeCode).map(([type, code]) => [code, type as ElementType]));
  const tensors: StoredTensor[] = [];
  for (const { name, dataType, dims, externalData } of model.graph?.initializer ?? []) {
    if (externalData.length === 0) continue;
    const facts = new Map(externalData.map(({ key, value }) => [key, value]));
    const type = types.get(dataType);
    const shape = dims.map(Number);
    const [offset, length] = [Number(facts.get('offset')), Number(facts.get('length'))];
    const location = facts.get('location') ?? '';
    if (!type || ![offset, length, ...shape].every((number) => Number.isSafeInteger(number) && number >= 0))
      throw new Error(`tensor ${name} is not described as it should be`);
    tensors.push({ name, type, shape, place: { location, offset, length } });
  }
  return tensors;
}
