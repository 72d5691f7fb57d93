import { randomUUID } from 'node:crypto';
import { type FileHandle, open, rename, rm } from 'node:fs/promises';
import { Problem, throwIfCancelled } from '../report/problem.ts';
import { elementCount } from './elements.ts';
import { halfBits } from './half.ts';
import type { NamedWeights } from './named-weights.ts';

const typeCodes = { float32: 'F32', float16: 'F16' } as const;
const pieceElements = 1 << 18;

/**
 * Writes weights as a safetensors file, one tensor in memory at a time. The file appears whole or not at all and
 * replaces an older one. https://huggingface.co/docs/safetensors
 */
export async function writeSafetensors(
  path: string,
  weights: NamedWeights,
  options: { type?: 'float32' | 'float16'; metadata?: Record<string, string>; signal?: AbortSignal } = {},
): Promise<void> {
  const { type = 'float32', metadata = {}, signal } = options;
  const elementBytes = type === 'float32' ? 4 : 2;
  const header: Record<string, unknown> = Object.keys(metadata).length > 0 ? { __metadata__: metadata } : {};
  let end = 0;
  for (const name of weights.names()) {
    const shape = weights.shape(name);
    const begin = end;
    end += elementCount(shape) * elementBytes;
    header[name] = { dtype: typeCodes[type], shape, data_offsets: [begin, end] };
  }
  const text = Buffer.from(JSON.stringify(header));
  const start = Buffer.alloc(8 + Math.ceil(text.length / 8) * 8, ' ');
  start.writeBigUInt64LE(BigInt(start.length - 8));
  start.set(text, 8);

  const temporary = `${path}.${randomUUID()}.part`;
  try {
    const file = await open(temporary, 'wx');
    try {
      await writeAll(file, start);
      for (const name of weights.names()) {
        throwIfCancelled(signal);
        const values = await weights.read(name, signal);
        if (values.length !== elementCount(weights.shape(name)))
          throw new Error(`${name}: ${values.length} values for the shape [${weights.shape(name)}]`);
        for (let at = 0; at < values.length; at += pieceElements)
          await writeAll(file, encode(values.subarray(at, at + pieceElements), type));
      }
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } catch (cause) {
    await rm(temporary, { force: true });
    throw writingProblem(path, cause);
  }
}

function encode(values: Float32Array, type: 'float32' | 'float16'): Uint8Array {
  if (type === 'float32') return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
  const bits = new Uint16Array(values.length);
  for (let i = 0; i < values.length; i++) bits[i] = halfBits(values[i]!);
  return new Uint8Array(bits.buffer);
}

async function writeAll(file: FileHandle, bytes: Uint8Array): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    const { bytesWritten } = await file.write(bytes, done, bytes.length - done);
    done += bytesWritten;
  }
}

function writingProblem(path: string, cause: unknown): unknown {
  const code = (cause as NodeJS.ErrnoException).code;
  if (code === 'ENOSPC')
    return new Problem(
      'disk/full',
      `${path}: the disk is full.`,
      'Free some space or choose another folder.',
      cause,
    );
  if (code === 'EACCES' || code === 'EPERM' || code === 'EROFS' || code === 'ENOENT' || code === 'ENOTDIR')
    return new Problem(
      'disk/not-writable',
      `${path}: cannot be written (${code}).`,
      'Choose a folder that exists and that you may write to.',
      cause,
    );
  return cause;
}
