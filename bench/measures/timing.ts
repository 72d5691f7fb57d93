export interface Timing {
  /** Milliseconds by the clock. */
  wall: number;
  /** Milliseconds of processor time, of all threads. */
  processor: number;
}

export async function timed(run: () => Promise<unknown>): Promise<Timing> {
  const processor = process.cpuUsage();
  const start = performance.now();
  await run();
  const wall = performance.now() - start;
  const { user, system } = process.cpuUsage(processor);
  return { wall, processor: (user + system) / 1000 };
}

/** The middle value, the upper of the two middle ones of an even number; NaN of none. */
export function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN;
}

export function medianTiming(timings: readonly Timing[]): Timing {
  return {
    wall: median(timings.map(({ wall }) => wall)),
    processor: median(timings.map(({ processor }) => processor)),
  };
}
