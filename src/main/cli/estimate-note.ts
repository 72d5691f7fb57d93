import { asProblem } from '../../worker/report/problem-record.ts';
import { durationOf, type Workload } from '../run/estimate.ts';
import type { RunOptions } from '../run/watch.ts';
import { duration } from './progress.ts';

/** Fewer windows are over before their speed would be measured. */
const worthMeasuring = 100;

/** Says how long a run will take, as soon as its windows are counted; measures this machine first where it never was. */
export function estimateNote(
  pack: string,
  provider: string,
  { signal, onNote }: RunOptions,
): NonNullable<RunOptions['onWorkload']> {
  return async (work: Workload) => {
    const { homeOf, packFolder } = await import('../packs/home.ts');
    const { Speeds } = await import('../run/speeds.ts');
    try {
      const speeds = new Speeds(homeOf());
      const folder = await packFolder(pack);
      const known = (await speeds.of(folder, provider)) ?? null;
      const speed =
        known === null && work.windows >= worthMeasuring
          ? await speeds.measure(folder, provider, signal)
          : known;
      if (speed === null) return;
      const { seconds } = durationOf(work, speed);
      onNote?.(
        `About ${duration(1000 * seconds)}: ${work.windows.toLocaleString('en')} windows, ${work.mode} mode, ${work.lanes} ${work.lanes === 1 ? 'session' : 'sessions'} on ${provider}.`,
      );
    } catch (error) {
      if (signal?.aborted) throw error;
      // The run does not need it.
      onNote?.(`warning: how long it will take is not known: ${asProblem(error).message}`);
    }
  };
}
