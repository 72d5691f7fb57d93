import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';

/** The part of OpenJPEG's WebAssembly build (MIT) that is used. */
interface OpenJpegDecoder {
  getEncodedBuffer(length: number): Uint8Array;
  decodeSubResolution(level: number, layer: number): void;
  decode(): void;
  getDecodedBuffer(): Uint8Array;
  getFrameInfo(): { bitsPerSample: number; componentCount: number; isSigned: boolean };
  delete(): void;
}
interface OpenJpeg {
  J2KDecoder: new () => OpenJpegDecoder;
}
type Factory = (settings: {
  wasmBinary: Uint8Array;
  print: (text: string) => void;
  printErr: (text: string) => void;
}) => Promise<OpenJpeg>;

let loading: Promise<OpenJpeg> | null = null;

function openJpeg(): Promise<OpenJpeg> {
  loading ??= (async () => {
    const require = createRequire(import.meta.url);
    const factory = require('@cornerstonejs/codec-openjpeg/decodewasmjs') as Factory;
    const wasmBinary = await readFile(require.resolve('@cornerstonejs/codec-openjpeg/decodewasm'));
    const silent = (): void => {};
    return factory({ wasmBinary, print: silent, printErr: silent });
  })();
  return loading;
}

/**
 * Samples of a codestream at 1/2^level of its size, interleaved by component, `bytes` long. Throws `RangeError` where the
 * codestream is damaged or holds another number of samples.
 */
export async function decodeCodestream(
  codestream: Uint8Array,
  level: number,
  bytes: number,
): Promise<Uint8Array<ArrayBuffer>> {
  const module = await openJpeg();
  const decoder = new module.J2KDecoder();
  try {
    decoder.getEncodedBuffer(codestream.length).set(codestream);
    if (level === 0) decoder.decode();
    else decoder.decodeSubResolution(level, 0);
    const decoded = decoder.getDecodedBuffer();
    if (decoded.length !== bytes) throw new RangeError(`${decoded.length} bytes instead of ${bytes}`);
    return decoded.slice();
  } catch (cause) {
    // After a trap the module's memory cannot be trusted.
    if (!(cause instanceof RangeError)) loading = null;
    if (cause instanceof Error) throw cause;
    throw new RangeError('the decoder gave up', { cause });
  } finally {
    decoder.delete();
  }
}
