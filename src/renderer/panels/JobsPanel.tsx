import type { Job } from '../../main/rpc/jobs.ts';
import { attempt } from '../connection/attempt.ts';
import { ask } from '../connection/client.ts';
import { durationText } from '../parts/duration.ts';
import { host } from '../state/project.ts';
import { useText } from '../texts/use-text.ts';

/** What runs, waits and has run, newest first. */
export function JobsPanel() {
  const jobs = host.use((value) => value.jobs);
  const text = useText();
  if (jobs.length === 0)
    return (
      <div className="panel empty">
        <p>{text('jobs.empty')}</p>
      </div>
    );
  return (
    <ul className="panel jobs" aria-label={text('panel.jobs')}>
      {[...jobs].reverse().map((job) => (
        <JobRow key={job.id} job={job} />
      ))}
    </ul>
  );
}

function JobRow({ job }: { job: Job }) {
  const text = useText();
  const { progress } = job;
  const share = progress && progress.total > 0 ? progress.done / progress.total : null;
  const active = job.state === 'running' || job.state === 'queued';
  return (
    <li className={`job ${job.state}`} aria-label={job.title}>
      <div className="job-line">
        <b>{job.title}</b>
        <span className="quiet">{text(`jobs.${job.state}`)}</span>
        <span className="grow" />
        {active && (
          <button type="button" onClick={() => void attempt(ask.jobs.cancel({ id: job.id }))}>
            {text('action.cancel')}
          </button>
        )}
        {job.resumable && (
          <button
            type="button"
            className="main"
            onClick={() => void attempt(ask.jobs.resume({ id: job.id }))}
          >
            {text('jobs.resume')}
          </button>
        )}
        {!active && (
          <button type="button" onClick={() => void attempt(ask.jobs.remove({ id: job.id }))}>
            {text('jobs.remove')}
          </button>
        )}
      </div>
      {job.state === 'running' && (
        <div className="job-line">
          {share === null ? (
            <progress aria-label={job.title} />
          ) : (
            <progress max={1} value={share} aria-label={job.title} />
          )}
          <span className="quiet">
            {progress &&
              `${progress.phase} ${Math.floor((share ?? 0) * 100)} % · ${progress.done.toLocaleString()} / ${progress.total.toLocaleString()} ${progress.unit}`}
            {job.timeLeft !== null && ` · ${text('jobs.left', { time: durationText(job.timeLeft / 1000) })}`}
          </span>
        </div>
      )}
      {job.problem && (
        <p className="warn">
          {job.problem.message} {job.problem.hint}
        </p>
      )}
      {job.notes.map((note) => (
        <p key={note} className="quiet">
          {note}
        </p>
      ))}
    </li>
  );
}
