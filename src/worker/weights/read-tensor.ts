import { Problem } from '../report/problem.ts';
import { type CheckpointFile, quoted } from './checkpoint-file.ts';
import { ElementSink, type ElementType } from './elements.ts';

/** 512 MiB as float32. The largest tensor of the published CLIPs (ViT-H's token embedding) has 51 million elements. */
const elementLimit = 1 << 27;

export function missingTensor(path: string, name: string): never {
  throw new Problem(
    'checkpoint/missing-tensor',
    `${path}: has no tensor ${quoted(name)}.`,
    'Choose a checkpoint of the right kind of model.',
  );
}

export function requireReadable(file: CheckpointFile, name: string, count: number): void {
  if (count > elementLimit)
    throw new Problem(
      'checkpoint/too-large',
      `${file.path}: tensor ${quoted(name)} has ${count} elements; at most ${elementLimit} are read.`,
      'This is not a checkpoint of a CLIP or an upsampler.',
    );
}

/** Exactly `count` elements from little-endian bytes in pieces. */
export async function readFloat32(
  file: CheckpointFile,
  name: string,
  type: ElementType,
  count: number,
  bytes: AsyncIterable<Uint8Array>,
): Promise<Float32Array> {
  const out = new Float32Array(count);
  const sink = new ElementSink(type, out);
  for await (const piece of bytes) sink.push(piece);
  if (sink.end() !== count)
    throw file.corrupt(`tensor ${quoted(name)} ended after ${sink.stored} of ${count} elements.`);
  return out;
}
