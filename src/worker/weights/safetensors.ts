import type { Checkpoint, TensorHeader } from './checkpoint.ts';
import { type CheckpointFile, quoted } from './checkpoint-file.ts';
import { bytesPerElement, type ElementType, elementCount } from './elements.ts';
import { missingTensor, readFloat32, requireReadable } from './read-tensor.ts';

/** safetensors' own names of the element types this program reads. */
const safetensorsTypes: Record<string, ElementType> = {
  F64: 'float64',
  F32: 'float32',
  F16: 'float16',
  BF16: 'bfloat16',
  I64: 'int64',
  I32: 'int32',
  I16: 'int16',
  I8: 'int8',
  U8: 'uint8',
  BOOL: 'bool',
};

/** The largest published CLIP has a header of about 100 kB. */
const headerLimit = 4 << 20;

interface Placed extends TensorHeader {
  position: number;
}

/**
 * A safetensors file: 8 bytes little-endian header length, JSON header, tensors.
 * https://huggingface.co/docs/safetensors
 */
export async function openSafetensors(file: CheckpointFile): Promise<Checkpoint> {
  const length = Number((await file.read(0, 8, 'the header length')).readBigUInt64LE());
  if (length > headerLimit)
    throw file.corrupt(`its header claims ${length} bytes, more than ${headerLimit}.`);
  const text = (await file.read(8, length, 'the header')).toString('utf8');
  let header: unknown;
  try {
    header = JSON.parse(text);
  } catch (cause) {
    throw file.corrupt('its header is not JSON.', cause);
  }
  if (typeof header !== 'object' || header === null || Array.isArray(header))
    throw file.corrupt('its header is not a JSON object.');

  const tensors = new Map<string, Placed>();
  const metadata: Record<string, string> = {};
  for (const [name, entry] of Object.entries(header) as [string, unknown][]) {
    if (name === '__metadata__') readMetadata(entry, metadata);
    else tensors.set(name, placedTensor(file, name, entry, 8 + length));
  }
  requireApart(file, tensors);

  const find = (name: string): Placed => tensors.get(name) ?? missingTensor(file.path, name);
  return {
    path: file.path,
    format: 'safetensors',
    metadata,
    names: () => [...tensors.keys()],
    header: (name) => {
      const { dtype, shape } = find(name);
      return { dtype, shape: [...shape] };
    },
    read: async (name, signal) => {
      const { dtype, shape, position } = find(name);
      const count = elementCount(shape);
      requireReadable(file, name, count);
      const bytes = file.chunks(position, count * bytesPerElement[dtype], `tensor ${quoted(name)}`, signal);
      return readFloat32(file, name, dtype, count, bytes);
    },
    close: () => file.close(),
  };
}

function readMetadata(entry: unknown, metadata: Record<string, string>): void {
  if (typeof entry !== 'object' || entry === null) return;
  for (const [key, value] of Object.entries(entry)) if (typeof value === 'string') metadata[key] = value;
}

function placedTensor(file: CheckpointFile, name: string, entry: unknown, start: number): Placed {
  const label = quoted(name);
  if (typeof entry !== 'object' || entry === null) throw file.corrupt(`tensor ${label} is not described.`);
  const { dtype: code, shape, data_offsets: offsets } = entry as Record<string, unknown>;
  const dtype =
    typeof code === 'string' && Object.hasOwn(safetensorsTypes, code) ? safetensorsTypes[code] : undefined;
  if (!dtype)
    throw file.corrupt(`tensor ${label} has the element type ${quoted(String(code))}, which is not known.`);
  if (!isExtents(shape) || shape.length > 8) throw file.corrupt(`tensor ${label} has no valid shape.`);
  if (!isExtents(offsets) || offsets.length !== 2)
    throw file.corrupt(`tensor ${label} has no valid data_offsets.`);
  const [begin, end] = offsets as [number, number];
  if (end - begin !== elementCount(shape) * bytesPerElement[dtype])
    throw file.corrupt(`tensor ${label} has ${end - begin} bytes for the shape [${shape}] of ${dtype}.`);
  if (start + end > file.size)
    throw file.corrupt(`tensor ${label} would end at byte ${start + end}, but the file has ${file.size}.`);
  return { dtype, shape, position: start + begin };
}

function isExtents(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((extent) => Number.isSafeInteger(extent) && extent >= 0);
}

/** The format forbids overlaps; a file that has them was not written by a safetensors library. */
function requireApart(file: CheckpointFile, tensors: Map<string, Placed>): void {
  let end = 0;
  const inOrder = [...tensors].filter(([, tensor]) => elementCount(tensor.shape) > 0);
  inOrder.sort(([, a], [, b]) => a.position - b.position);
  for (const [name, { position, shape, dtype }] of inOrder) {
    if (position < end) throw file.corrupt(`tensor ${quoted(name)} overlaps another one.`);
    end = position + elementCount(shape) * bytesPerElement[dtype];
  }
}
