import * as z from 'zod';
import { precisions } from '../../worker/pack/precision.ts';
import { Problem } from '../../worker/report/problem.ts';
import type { Home } from '../packs/home.ts';
import { installPack } from '../packs/install.ts';
import type { JobRunner } from './job-queue.ts';

const request = z.object({
  name: z.string(),
  from: z.string().nullable(),
  precision: z.enum(precisions).default('float32'),
});

/** Downloads, converts and tries out a published pack whose licences the user has accepted; resumes its downloads. */
export function installJob(home: Home, onInstalled: () => void): JobRunner {
  return async (input, { id, signal, onProgress, onNote }) => {
    const parsed = request.safeParse(input);
    if (!parsed.success)
      throw new Problem('job/invalid', `Job ${id} cannot be read.`, 'Remove it and install again.');
    const { name, from, precision } = parsed.data;
    const folder = await installPack(
      {
        name,
        from,
        mirror: null,
        upsampler: null,
        precision,
        overwrite: false,
        keepDownloads: false,
      },
      { signal, onProgress, onNote, home, confirm: async () => true },
    );
    onInstalled();
    return { folder };
  };
}
