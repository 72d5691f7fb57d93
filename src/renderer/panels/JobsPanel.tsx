import type { Job } from '../../main/rpc/jobs.ts';
import { attempt } from '../connection/attempt.ts';
import { ask } from '../connection/client.ts';
import { AreaTable } from '../parts/AreaTable.tsx';
import { JobProgress } from '../parts/JobProgress.tsx';
import { jobTitle } from '../parts/job-title.ts';
import { layout } from '../state/layout.ts';
import { host } from '../state/project.ts';
import { session } from '../state/session.ts';
import { useText } from '../texts/use-text.ts';
import { windowHint } from '../texts/window-hint.ts';

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

/** Areas of a difference that is in the project. */
function DifferenceResult({ run }: { run: unknown }) {
  const text = useText();
  const raster = host
    .use((value) => value.project)
    ?.rasters.find(({ runId, kind }) => runId === run && kind === 'difference');
  if (!raster?.areas) return null;
  const show = () => {
    session.set({ node: `raster:${raster.id}` });
    layout.show('styling');
  };
  return (
    <>
      <AreaTable
        areas={raster.areas}
        colours={new Map(raster.classes.map(({ id, colour }) => [id, colour]))}
      />
      <button type="button" className="link" onClick={show}>
        {text('areas.show')}
      </button>
    </>
  );
}

function JobRow({ job }: { job: Job }) {
  const text = useText();
  const title = jobTitle(job, text);
  const active = job.state === 'running' || job.state === 'queued';
  return (
    <li className={`job ${job.state}`} aria-label={title}>
      <div className="job-line">
        <b>{title}</b>
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
      {job.state === 'running' && <JobProgress job={job} />}
      {job.problem && (
        <p className="warn">
          {job.problem.message} {windowHint(job.problem, text)}
        </p>
      )}
      {job.kind === 'difference' && job.state === 'done' && <DifferenceResult run={job.result?.run} />}
      {job.notes.map((note) => (
        <p key={note} className="quiet">
          {note}
        </p>
      ))}
    </li>
  );
}
