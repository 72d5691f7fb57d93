import type { ResourceLimits } from 'node:worker_threads';

/**
 * Limits for threads that run steps. Windows, scores and tiles are large buffers that small, short-lived objects hold,
 * and buffers go when their objects do. A small young generation is swept often, which keeps what is dead but not yet
 * freed to a few megabytes; with Node's default it grows over a long run by tens.
 */
export const threadLimits: ResourceLimits = { maxYoungGenerationSizeMb: 4 };
