import { open } from 'node:fs/promises';
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { Problem } from '../report/problem.ts';

/** CLIP's vocabulary has 1.4 MB, 3.2 MB decompressed. */
const fileLimit = 16 << 20;
const textLimit = 32 << 20;

/** The text of a vocabulary file, gzipped or plain. Throws `vocabulary/…` problems that name the file. */
export async function readVocabulary(path: string): Promise<string> {
  const bytes = await readBounded(path);
  if (bytes[0] !== 0x1f || bytes[1] !== 0x8b) return bytes.toString('utf8');
  try {
    return (await promisify(gunzip)(bytes, { maxOutputLength: textLimit })).toString('utf8');
  } catch (cause) {
    const bomb = (cause as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE';
    throw new Problem(
      'vocabulary/corrupt',
      `${path}: ${bomb ? `swells beyond ${textLimit} bytes` : 'is damaged and cannot be decompressed'}.`,
      'Fetch bpe_simple_vocab_16e6.txt.gz again.',
      cause,
    );
  }
}

async function readBounded(path: string): Promise<Buffer> {
  try {
    const file = await open(path, 'r');
    try {
      const { size } = await file.stat();
      if (size > fileLimit)
        throw new Problem(
          'vocabulary/corrupt',
          `${path}: has ${size} bytes; a vocabulary has less than ${fileLimit}.`,
          'Use bpe_simple_vocab_16e6.txt.gz.',
        );
      return await file.readFile();
    } finally {
      await file.close();
    }
  } catch (cause) {
    if (cause instanceof Problem) throw cause;
    const code = (cause as NodeJS.ErrnoException).code;
    throw new Problem(
      code === 'ENOENT' ? 'vocabulary/not-found' : 'vocabulary/unreadable',
      code === 'ENOENT' ? `${path}: there is no such file.` : `${path}: cannot be read (${code}).`,
      'Give the path of bpe_simple_vocab_16e6.txt.gz.',
      cause,
    );
  }
}
