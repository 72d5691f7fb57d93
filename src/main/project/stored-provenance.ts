import * as z from 'zod';

/** What made a layer (`Provenance`), as projects keep it. */
export const storedProvenance = z.object({
  program: z.string(),
  version: z.string(),
  date: z.string(),
  scene: z.string(),
  sceneFingerprint: z.string(),
  pack: z.string(),
  packChecksum: z.string(),
  classes: z.array(
    z.object({ id: z.int(), name: z.string(), words: z.array(z.string()), colour: z.string() }),
  ),
  settings: z.record(z.string(), z.unknown()),
});
