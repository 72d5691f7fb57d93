/** How a run divides processors and memory among inference sessions. */
export interface LanePlan {
  lanes: number;
  /** Threads inside each session. */
  threadsPerLane: number;
}

/**
 * As many sessions as threads and memory allow: on a processor, several sessions of one thread score windows faster
 * than one session of several. A GPU wants one session, whose thread owns it.
 *
 * @param threads processor threads for inference
 * @param memoryBytes what the whole run may use
 * @param reservedBytes reading, stitching and writing
 * @param laneBytes one session: its weights and activations
 */
export function planLanes(
  threads: number,
  memoryBytes: number,
  reservedBytes: number,
  laneBytes: number,
  provider: string,
): LanePlan {
  if (provider !== 'cpu') return { lanes: 1, threadsPerLane: threads };
  const affordable = Math.floor((memoryBytes - reservedBytes) / Math.max(laneBytes, 1));
  const lanes = Math.max(1, Math.min(threads, affordable));
  return { lanes, threadsPerLane: Math.max(1, Math.floor(threads / lanes)) };
}
