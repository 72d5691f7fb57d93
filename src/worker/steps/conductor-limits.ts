import type { ResourceLimits } from 'node:worker_threads';

/**
 * Limits of the thread that conducts a run. Windows and scores are large buffers that small, short-lived objects hold,
 * and buffers go when their objects do. A small young generation is swept often, which keeps what is dead but not yet
 * freed to a few megabytes; with Node's default it grows over a long run by tens.
 */
export const conductorLimits: ResourceLimits = { maxYoungGenerationSizeMb: 4 };
