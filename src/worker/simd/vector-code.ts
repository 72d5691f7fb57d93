/**
 * Functions of vectors of four numbers, which plain JavaScript cannot say, put together byte by byte as WebAssembly (core
 * specification 2.0, binary format; fixed-width vector instructions).
 */

export interface Memory {
  readonly buffer: ArrayBuffer;
  grow(pages: number): number;
}

/** TypeScript tells of it among a browser's types only. */
const { WebAssembly } = globalThis as unknown as {
  WebAssembly: {
    Module: new (bytes: Uint8Array) => object;
    Memory: new (descriptor: { initial: number }) => Memory;
    Instance: new (
      module: object,
      imports: Record<string, Record<string, Memory>>,
    ) => { exports: Record<string, unknown> };
  };
};

export const i32 = 0x7f;
export const f32 = 0x7d;
export const v128 = 0x7b;

export const get = (index: number) => [0x20, index];
export const set = (index: number) => [0x21, index];
/** A whole number, as LEB128 with its sign. */
export const constant = (value: number): number[] => [0x41, ...signed(value)];
const signed = (value: number): number[] =>
  value >= -64 && value < 64 ? [value & 127] : [(value & 127) | 128, ...signed(value >> 7)];
const floatConstant = (value: number): number[] => [0x43, ...new Uint8Array(Float32Array.of(value).buffer)];
export const add = [0x6a];
export const subtract = [0x6b];
export const multiply = [0x6c];
export const and = [0x71];
export const shiftLeft = [0x74];
export const shiftRight = [0x76];
export const equal = [0x46];
/** Of numbers without a sign. */
export const notLess = [0x4f];
export const loadByte = [0x2d, 0, 0];
export const loadUint16 = [0x2f, 0, 0];
export const loadInt32 = [0x28, 0, 0];
export const storeInt32 = [0x36, 0, 0];
export const loadFloat = [0x2a, 0, 0];
export const wholeToFloat = [0xb2];
export const multiplyFloat = [0x94];
/** The first of two where the condition holds, else the second. */
export const choose = [0x1b];
export const leave = [0x0f];

/** A vector instruction; those that touch memory are followed by alignment and offset. */
const vector = (code: number, ...rest: number[]) =>
  code < 128 ? [0xfd, code, ...rest] : [0xfd, (code & 0x7f) | 0x80, code >> 7, ...rest];
/** From the address and so many bytes on. */
export const load = (offset: number) => vector(0x00, 0, offset);
export const loadFourInt16 = vector(0x03, 0, 0);
/** Four times the number at the address and so many bytes on. */
export const loadSplat = (offset: number) => vector(0x09, 0, offset);
export const splat = vector(0x13);
export const store = (offset: number) => vector(0x0b, 0, offset);
export const toFloat = vector(0xfa);
export const toWhole = vector(0xf8);
export const vectorAdd = vector(0xe4);
export const vectorSubtract = vector(0xe5);
export const vectorMultiply = vector(0xe6);
export const vectorDivide = vector(0xe7);
/** Not a number where one of both is none. */
export const vectorMax = vector(0xe9);
export const nearest = vector(0x6a);
/** All bits where the first is greater. */
export const greater = vector(0x44);
/** Bits of the first where the third has them, else of the second. */
export const select = vector(0x52);
export const splatWhole = vector(0x11);
export const vectorConstant = (value: number) => [...floatConstant(value), ...splat];
export const addWhole = vector(0xae);
export const vectorShiftLeft = vector(0xab);
/** Of bits. */
export const vectorNot = vector(0x4d);
export const vectorAnd = vector(0x4e);
export const vectorOr = vector(0x50);
export const vectorMin = vector(0xe8);
/** All bits where the first is less, or not greater: never where one of both is no number. */
export const less = vector(0x43);
export const notGreater = vector(0x45);
export const unequalWhole = vector(0x38);
/** Four bytes as whole numbers. */
export const loadFourBytes = [...vector(0x5c, 0, 0), ...vector(0x89), ...vector(0xa9)];
const narrowTo16 = vector(0x86);
const narrowTo8 = vector(0x66);
/** Stores a local's four whole numbers, of no sign, in 16 bits each or a byte each; the address comes before. */
export const storeFourUint16 = (index: number) => [
  ...[...get(index), ...get(index), ...narrowTo16],
  ...vector(0x5b, 0, 0, 0),
];
export const storeFourBytes = (index: number) => [
  ...[...get(index), ...get(index), ...narrowTo16],
  ...[...get(index), ...get(index), ...narrowTo16],
  ...[...narrowTo8, ...vector(0x5a, 0, 0, 0)],
];
/** Four numbers out of two vectors' eight. */
export const shuffle = (...numbers: [number, number, number, number]) =>
  vector(0x0d, ...numbers.flatMap((number) => [0, 1, 2, 3].map((byte) => 4 * number + byte)));

export const advance = (index: number, by: number[]) => [...get(index), ...by, ...add, ...set(index)];
/** Counts a local down and goes on with the loop while it is not zero. */
export const countDown = (index: number) => [...get(index), ...constant(1), 0x6b, 0x22, index, 0x0d, 0];
/** Goes on with the innermost loop where a condition holds. */
export const again = [0x0d, 0];
export const when = (condition: number[], then: number[], otherwise: number[] = []) => [
  ...[...condition, 0x04, 0x40, ...then],
  ...(otherwise.length > 0 ? [0x05, ...otherwise] : []),
  0x0b,
];
export const loop = (...body: number[][]) => [0x03, 0x40, ...body.flat(), 0x0b];

const unsigned = (value: number): number[] =>
  value < 128 ? [value] : [(value & 127) | 128, ...unsigned(value >> 7)];
const section = (id: number, content: number[]) => [id, ...unsigned(content.length), ...content];

/** A function that works on a memory from outside. */
type VectorFunction = (memory: Memory) => (...values: number[]) => void;

/**
 * @param parameters their types
 * @param locals runs of further locals of one type
 */
export function vectorFunction(
  parameters: readonly number[],
  locals: readonly [count: number, type: number][],
  body: readonly number[],
): VectorFunction {
  const code = [locals.length, ...locals.flat(), ...body, 0x0b];
  const content = [unsigned(code.length), code].flat();
  const module = new WebAssembly.Module(
    Uint8Array.from([
      ...[0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
      ...section(1, [1, 0x60, parameters.length, ...parameters, 0]),
      // Memory `m.m` comes from outside.
      ...section(2, [1, 1, 0x6d, 1, 0x6d, 2, 0, 1]),
      ...section(3, [1, 0]),
      ...section(7, [1, 1, 0x70, 0, 0]),
      ...section(10, [1, ...content]),
    ]),
  );
  return (memory) =>
    new WebAssembly.Instance(module, { m: { m: memory } }).exports.p as (...values: number[]) => void;
}

const pageBytes = 65_536;

export function newMemory(): Memory {
  return new WebAssembly.Memory({ initial: 1 });
}

/** Grows a memory to at least so many bytes; what has grown is another buffer. */
export function reserve(memory: Memory, bytes: number): boolean {
  const missing = Math.ceil((bytes - memory.buffer.byteLength) / pageBytes);
  if (missing > 0) memory.grow(missing);
  return missing > 0;
}
