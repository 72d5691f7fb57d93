/** Element types that our operator set uses. */
export type ElementType = 'float32' | 'float16' | 'int64' | 'int32' | 'int8' | 'uint8' | 'bool';

/** A known length, or the name of one that is known only at run time. */
export type Dimension = number | string;
export type Shape = readonly Dimension[];

export type TensorArray = Float32Array | Uint16Array | BigInt64Array | Int32Array | Int8Array | Uint8Array;

/** Bytes of one element. */
export const elementBytes: Record<ElementType, number> = {
  float32: 4,
  float16: 2,
  int64: 8,
  int32: 4,
  int8: 1,
  uint8: 1,
  bool: 1,
};

/** Number of elements of a shape, all of whose dimensions are known. */
export function elementCount(shape: Shape): number {
  let count = 1;
  for (const dimension of shape) {
    if (typeof dimension !== 'number') throw new Error(`dimension '${dimension}' is unknown`);
    count *= dimension;
  }
  return count;
}
