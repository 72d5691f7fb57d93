import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { transposedSuffix } from '../net/parameters.ts';
import { type StoredTensor, storedTensors } from '../onnx/stored-tensors.ts';
import { elementBytes } from '../onnx/tensor.ts';
import { Problem } from '../report/problem.ts';
import { CheckpointFile } from '../weights/checkpoint-file.ts';
import type { NamedWeights } from '../weights/named-weights.ts';
import { missingTensor, readFloat32, requireReadable } from '../weights/read-tensor.ts';
import type { Pack } from './open-pack.ts';
import { transpose } from './transpose.ts';

/** The weights of some of a pack's graphs as a checkpoint has them. Close them after use. */
export interface PackWeights extends NamedWeights {
  close(): Promise<void>;
}

interface Placed {
  type: 'float32' | 'float16';
  /** As a checkpoint has it. */
  shape: number[];
  transposed: boolean;
  place: StoredTensor['place'];
}

/** A graph's bytes; weights lie beside it. */
const graphLimit = 64 << 20;

/**
 * Opens the weights of these graphs. Throws `pack/corrupt` where a graph points outside the pack's files, and
 * `pack/precision` where the weights were rounded to int8.
 */
export async function openPackWeights(pack: Pack, graphs: readonly string[]): Promise<PackWeights> {
  const tensors = new Map<string, Placed>();
  for (const graph of graphs) {
    for (const tensor of await tensorsOf(pack, graph)) {
      const { type, shape, place } = tensor;
      if (type === 'int8')
        throw new Problem(
          'pack/precision',
          `${pack.folder}: its weights were rounded to int8, so no other precision can be made of them.`,
          'Build from a float32 or float16 pack, or from the checkpoint.',
        );
      if (!Object.hasOwn(pack.manifest.files, place.location))
        throw corrupt(pack, graph, `keeps ${tensor.name} in a file that the pack does not list`);
      const count = shape.reduce((product, length) => product * length, 1);
      if ((type !== 'float32' && type !== 'float16') || place.length !== count * elementBytes[type])
        throw corrupt(pack, graph, `describes ${tensor.name} in two ways`);
      const transposed = tensor.name.endsWith(transposedSuffix);
      const name = transposed ? tensor.name.slice(0, -transposedSuffix.length) : tensor.name;
      if (!tensors.has(name))
        tensors.set(name, { type, shape: transposed ? shape.toReversed() : shape, transposed, place });
    }
  }
  const files = new Map<string, CheckpointFile>();
  for (const location of new Set([...tensors.values()].map(({ place }) => place.location)))
    files.set(location, await CheckpointFile.open(path.join(pack.folder, location)));
  const find = (name: string) => tensors.get(name) ?? missingTensor(pack.folder, name);
  return {
    source: pack.folder,
    names: () => [...tensors.keys()],
    shape: (name) => [...find(name).shape],
    async read(name, signal) {
      const { type, shape, place, transposed } = find(name);
      const file = files.get(place.location)!;
      const count = place.length / elementBytes[type];
      requireReadable(file, name, count);
      const bytes = file.chunks(place.offset, place.length, `tensor ${name}`, signal);
      const values = await readFloat32(file, name, type, count, bytes);
      return transposed ? transpose(values, shape[1]!) : values;
    },
    async close() {
      for (const file of files.values()) await file.close();
    },
  };
}

async function tensorsOf(pack: Pack, graph: string): Promise<StoredTensor[]> {
  if ((pack.manifest.files[graph]?.bytes ?? 0) > graphLimit) throw corrupt(pack, graph, 'is too large');
  const bytes = await readFile(path.join(pack.folder, graph));
  try {
    return storedTensors(bytes);
  } catch (cause) {
    throw corrupt(pack, graph, 'is no graph of ours', cause);
  }
}

function corrupt(pack: Pack, graph: string, what: string, cause?: unknown): Problem {
  return new Problem(
    'pack/corrupt',
    `${path.join(pack.folder, graph)}: ${what}.`,
    'Build or install the pack again.',
    cause,
  );
}
