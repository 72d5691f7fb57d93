import * as z from 'zod';
import { call, id, path } from './base.ts';

export const pack = z.object({
  name: z.string(),
  title: z.string(),
  /** Comes with the program. */
  embedded: z.boolean(),
  installed: z.boolean(),
  /** To download, as far as known. */
  megabytes: z.number().nullable(),
  /** As stated at the sources; null where none is. */
  licences: z.array(z.object({ part: z.string(), licence: z.string().nullable(), url: z.string() })),
  /** Of an installed one; empty for packs that know any word. */
  knownWords: z.array(z.string()),
  modalities: z.array(z.enum(['optical', 'sar'])),
  upsampler: z.string().nullable(),
  /** Metres per pixel below which it was never trained; null: unknown. */
  finestResolution: z.number().nullable(),
  precision: z.string(),
});
export type Pack = z.output<typeof pack>;

export const packs = {
  list: call.output(z.array(pack)),
  /** Queues download, conversion and smoke test. `from`: a folder with the files already downloaded. */
  install: call
    .input(
      z.object({
        name: z.string(),
        from: path.nullable(),
        precision: z.enum(['float32', 'float16', 'int8']).default('float32'),
        acceptLicences: z.literal(true),
      }),
    )
    .output(z.object({ jobId: id })),
  verify: call
    .input(z.object({ name: z.string() }))
    .output(z.object({ files: z.int(), answers: z.string() })),
  remove: call.input(z.object({ name: z.string() })).output(z.void()),
};
