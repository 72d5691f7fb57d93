import type { ClassEntry } from '../classmap/class-entry.ts';

/** What made a result: written into every output. */
export interface Provenance {
  program: string;
  version: string;
  /** ISO 8601, UTC. */
  date: string;
  scene: string;
  /** Digest of the scene's header and size, for recognising the file again. */
  sceneFingerprint: string;
  pack: string;
  packChecksum: string;
  classes: ClassEntry[];
  /** Every setting of the run, with defaults filled in. */
  settings: Record<string, unknown>;
}
