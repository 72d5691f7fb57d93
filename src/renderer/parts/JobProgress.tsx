import { useEffect, useRef, useState } from 'react';
import type { Job } from '../../main/rpc/jobs.ts';
import type { TextKey } from '../texts/catalogue.ts';
import { english } from '../texts/en.ts';
import { useText } from '../texts/use-text.ts';
import { bytesText, durationText } from './duration.ts';
import { jobTitle } from './job-title.ts';

/** Milliseconds that a rate is the mean of. */
const rateOver = 5000;

/** How far a running job is, and how long it will take; of bytes also how fast they come. */
export function JobProgress({ job }: { job: Job }) {
  const text = useText();
  const { progress } = job;
  const rate = useRate(job);
  const title = jobTitle(job, text);
  /** The engine's word in the window's language; words with a name in them stay as they are. */
  const spoken = (kind: 'phase' | 'unit', word: string) => {
    const key = `${kind}.${word}`;
    return key in english ? text(key as TextKey) : word;
  };
  const share = progress && progress.total > 0 ? progress.done / progress.total : null;
  const amount = (value: number) => (progress?.unit === 'bytes' ? bytesText(value) : value.toLocaleString());
  return (
    <div className="job-line">
      {share === null ? (
        <progress aria-label={title} />
      ) : (
        <progress max={1} value={share} aria-label={title} />
      )}
      <span className="quiet">
        {progress &&
          `${spoken('phase', progress.phase)} ${Math.floor((share ?? 0) * 100)} % · ${amount(progress.done)} / ${amount(progress.total)}${progress.unit === 'bytes' ? '' : ` ${spoken('unit', progress.unit)}`}`}
        {rate !== null && ` · ${text('jobs.rate', { bytes: bytesText(rate) })}`}
        {job.timeLeft !== null && ` · ${text('jobs.left', { time: durationText(job.timeLeft / 1000) })}`}
      </span>
    </div>
  );
}

/** Bytes a second over the last seconds; null of other units and in a phase's first moments. */
function useRate({ progress }: Job): number | null {
  const seen = useRef<{ phase: string; points: { time: number; done: number }[] }>({ phase: '', points: [] });
  const [rate, setRate] = useState<number | null>(null);
  const { phase = '', done = 0, unit = '' } = progress ?? {};
  useEffect(() => {
    const time = performance.now();
    const same = seen.current.phase === phase;
    const points = [...(same ? seen.current.points : []), { time, done }].filter(
      (point) => time - point.time <= rateOver,
    );
    seen.current = { phase, points };
    const first = points[0]!;
    setRate(
      unit === 'bytes' && time - first.time >= 500
        ? ((done - first.done) / (time - first.time)) * 1000
        : null,
    );
  }, [phase, done, unit]);
  return rate;
}
