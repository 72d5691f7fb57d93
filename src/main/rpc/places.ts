import * as z from 'zod';
import { call, path } from './base.ts';

export const entry = z.object({
  name: z.string(),
  path,
  kind: z.enum(['folder', 'scene', 'project', 'file']),
  bytes: z.number().nullable(),
  modified: z.string().nullable(),
});
export type Entry = z.output<typeof entry>;

/** Files of the machine the host runs on, for the screen's own file dialog. Nothing outside the allowed roots. */
export const places = {
  /** `folder` null: the roots and usual places. */
  list: call
    .input(z.object({ folder: path.nullable() }))
    .output(z.object({ folder: path.nullable(), parent: path.nullable(), entries: z.array(entry) })),
  makeFolder: call
    .input(z.object({ folder: path, name: z.string().min(1).max(255) }))
    .output(z.object({ path })),
};
