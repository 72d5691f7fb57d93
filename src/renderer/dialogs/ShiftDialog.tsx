import { useEffect, useRef, useState } from 'react';
import { moveScene } from '../commands/shift.ts';
import { attempt } from '../connection/attempt.ts';
import { ask } from '../connection/client.ts';
import { Dialog } from '../parts/Dialog.tsx';
import { dialogs } from '../state/dialogs.ts';
import { host } from '../state/project.ts';
import { session } from '../state/session.ts';
import { useText } from '../texts/use-text.ts';

type Shift = Awaited<ReturnType<typeof ask.scenes.shift>>;

/** Below this share of agreeing windows a shift is a guess. */
const leastSure = 0.2;

/** How far one scene lies from another, and moving it on the map; its file stays as it is. */
export function ShiftDialog() {
  const text = useText();
  const scenes = host.use((value) => value.project?.scenes) ?? [];
  const views = session.use((value) => value.views.length);
  const activeView = session.use((value) => value.activeView);
  const { node } = session.get();
  const selected = scenes.find(({ id }) => `scene:${id}` === node) ?? scenes[1];
  const [second, setSecond] = useState(selected?.id);
  const [first, setFirst] = useState(scenes.find(({ id }) => id !== selected?.id)?.id);
  const [shift, setShift] = useState<Shift | null>(null);
  const [measuring, setMeasuring] = useState<AbortController | null>(null);
  const running = useRef(measuring);
  running.current = measuring;
  useEffect(() => () => running.current?.abort(), []);
  const close = () => dialogs.set({ shift: false });
  const nameOf = (id: number | undefined) => scenes.find((scene) => scene.id === id)?.name ?? '';
  const measure = async () => {
    const own = new AbortController();
    setShift(null);
    setMeasuring(own);
    const found = await attempt(
      ask.scenes.shift({ first: first!, second: second! }, { signal: own.signal }),
      () => own.signal.aborted,
    );
    if (own.signal.aborted) return;
    setMeasuring(null);
    setShift(found ?? null);
  };
  const move = async (where: 'view' | 'all') => {
    // What lies too far east goes back west.
    await moveScene(second!, { east: -shift!.east, north: -shift!.north }, where);
    close();
  };
  const choice = (label: string, value: number | undefined, choose: (id: number) => void) => (
    <label>
      <span>{label}</span>
      <select
        aria-label={label}
        value={value}
        disabled={measuring !== null}
        onChange={(event) => {
          choose(Number(event.target.value));
          setShift(null);
        }}
      >
        {scenes.map(({ id, name }) => (
          <option key={id} value={id}>
            {name}
          </option>
        ))}
      </select>
    </label>
  );
  const unit = host.get().project?.system.kind === 'pixels' ? 'px' : 'm';
  return (
    <Dialog
      title={text('shift.title')}
      onClose={close}
      actions={
        <>
          <button type="button" onClick={close}>
            {text('action.cancel')}
          </button>
          {shift ? (
            <>
              <button type="button" className="main" onClick={() => void move('view')}>
                {text('shift.applyView', { view: activeView })}
              </button>
              {views > 1 && (
                <button type="button" onClick={() => void move('all')}>
                  {text('shift.applyAll')}
                </button>
              )}
            </>
          ) : (
            <button
              type="button"
              className="main"
              disabled={measuring !== null || first === undefined || second === undefined || first === second}
              onClick={() => void measure()}
            >
              {text(measuring ? 'shift.measuring' : 'shift.measure')}
            </button>
          )}
        </>
      }
    >
      <p className="quiet">{text('shift.about')}</p>
      <div className="fields">
        {choice(text('shift.first'), first, setFirst)}
        {choice(text('shift.second'), second, setSecond)}
      </div>
      {shift && (
        <p role="status">
          {text('shift.text', {
            first: nameOf(first),
            second: nameOf(second),
            east: shift.east.toFixed(2),
            north: shift.north.toFixed(2),
            unit,
            pixels: shift.pixels.toFixed(2),
            sure: Math.round(shift.confidence * 100),
            windows: shift.windows,
          })}
        </p>
      )}
      {shift && shift.confidence < leastSure && <p className="notice">{text('shift.unsure')}</p>}
    </Dialog>
  );
}
