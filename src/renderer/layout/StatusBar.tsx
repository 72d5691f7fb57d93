import { useEffect, useState } from 'react';
import { commandOf } from '../commands/commands.ts';
import { attempt } from '../connection/attempt.ts';
import { ask } from '../connection/client.ts';
import { type MapSystem, mapActions, mapSystem, systemNamed } from '../map/index.ts';
import { durationText } from '../parts/duration.ts';
import { jobTitle } from '../parts/job-title.ts';
import { host } from '../state/project.ts';
import { session } from '../state/session.ts';
import { useText } from '../texts/use-text.ts';

/** Where the pointer is, the scale, the rotation, the system, and what is under way. */
export function StatusBar() {
  const text = useText();
  const project = host.use((value) => value.project);
  const connection = host.use((value) => value.connection);
  const pointer = session.use((value) => value.pointer);
  const view = session.use((value) => value.views.find(({ id }) => id === value.activeView)!);
  const system = useViewSystem(view.crs);
  const job = host.use((value) => value.jobs.find(({ state }) => state === 'running') ?? null);
  const scale = mapActions.scaleOfView(view, system);
  const digits = project?.system.kind === 'geographic' ? 6 : 1;
  const [typed, setTyped] = useState<string | null>(null);
  const [wrong, setWrong] = useState(false);
  return (
    <div className="status-bar">
      <input
        className="coordinate"
        aria-label={text('status.coordinate')}
        title={text('status.coordinateTip')}
        value={typed ?? (pointer ? `${pointer[0].toFixed(digits)}, ${pointer[1].toFixed(digits)}` : '')}
        placeholder={text('status.coordinate')}
        aria-invalid={wrong}
        onFocus={() => setTyped('')}
        onBlur={() => {
          setTyped(null);
          setWrong(false);
        }}
        onChange={(event) => {
          setTyped(event.target.value);
          setWrong(false);
        }}
        onKeyDown={(event) => {
          if (event.key !== 'Enter') return;
          const [x, y] = event.currentTarget.value
            .trim()
            .split(/[,;\s]+/)
            .map(Number);
          if (Math.abs(x!) < farthest && Math.abs(y!) < farthest) mapActions.goTo(x!, y!);
          else {
            setWrong(true);
            return;
          }
          event.currentTarget.blur();
        }}
      />
      <label>
        1:
        <input
          className="scale"
          aria-label={text('status.scale')}
          key={scale === null ? '' : Math.round(scale)}
          defaultValue={scaleText(scale)}
          onKeyDown={(event) => {
            if (event.key !== 'Enter') return;
            const wanted = denominatorOf(event.currentTarget.value);
            if (wanted > 0) mapActions.setScale(wanted);
          }}
          onBlur={(event) => {
            // What was typed and not taken is not where the map is.
            event.currentTarget.value = scaleText(scale);
          }}
        />
      </label>
      <label>
        <input
          className="rotation"
          type="number"
          aria-label={text('status.rotation')}
          value={Math.round((view.rotation * 180) / Math.PI)}
          onChange={(event) => mapActions.setRotation(Number(event.target.value))}
        />
        °
      </label>
      <button
        type="button"
        className="plain"
        disabled={!project}
        title={project?.system.name}
        onClick={() => void commandOf('project.crs').run()}
      >
        {project ? (project.system.crs === 'PIXELS' ? text('status.pixels') : project.system.crs) : '–'}
      </button>
      <span className="grow" />
      {connection === 'lost' && (
        <b className="warn" role="alert">
          {text('status.lost')}
        </b>
      )}
      {connection === 'waiting' && <span className="quiet">{text('status.waiting')}</span>}
      {job && (
        <span className="job-status" role="status">
          <progress
            max={1}
            value={job.progress && job.progress.total > 0 ? job.progress.done / job.progress.total : 0}
            aria-label={jobTitle(job, text)}
          />
          {jobTitle(job, text)}
          {job.progress &&
            job.progress.total > 0 &&
            ` ${Math.floor((job.progress.done / job.progress.total) * 100)} %`}
          {job.timeLeft !== null && ` · ${text('jobs.left', { time: durationText(job.timeLeft / 1000) })}`}
          <button type="button" onClick={() => void attempt(ask.jobs.cancel({ id: job.id }))}>
            {text('action.cancel')}
          </button>
        </span>
      )}
    </div>
  );
}

/** Units of any system beyond which nothing lies; the map would look for ever for what is there. */
const farthest = 1e9;

const scaleText = (scale: number | null) => (scale === null ? '' : Math.round(scale).toLocaleString('en'));

/** Of `2500`, `1:2,500` or `2.500`; NaN of anything else. */
function denominatorOf(typed: string): number {
  const plain = typed.trim().replace(/^1\s*[:/]/, '');
  return Number(plain.replace(/[\s,.'’](?=\d{3}(?!\d))/g, ''));
}

function useViewSystem(crs: string | null): MapSystem | null {
  const own = host.use((value) => value.project?.system ?? null);
  const [other, setOther] = useState<MapSystem | null>(null);
  useEffect(() => {
    let current = true;
    setOther(null);
    if (crs)
      void systemNamed(crs).then(
        (found) => current && setOther(found),
        () => {},
      );
    return () => {
      current = false;
    };
  }, [crs]);
  return crs ? other : own && mapSystem(own);
}
