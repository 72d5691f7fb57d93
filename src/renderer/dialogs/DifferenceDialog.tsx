import { useState } from 'react';
import type { ProjectLayer } from '../../main/rpc/project.ts';
import { attempt } from '../connection/attempt.ts';
import { ask } from '../connection/client.ts';
import { Dialog } from '../parts/Dialog.tsx';
import { dialogs } from '../state/dialogs.ts';
import { layout } from '../state/layout.ts';
import { host } from '../state/project.ts';
import { useText } from '../texts/use-text.ts';

/** Where one class map says a class and another does not. */
export function DifferenceDialog() {
  const text = useText();
  const layers = host.use((value) => value.project?.layers) ?? [];
  const [first, setFirst] = useState<ProjectLayer | undefined>(layers[0]);
  const [second, setSecond] = useState<ProjectLayer | undefined>(layers[1]);
  const [firstClass, setFirstClass] = useState(layers[0]?.classes[0]?.id ?? 1);
  const [secondClass, setSecondClass] = useState(layers[1]?.classes[0]?.id ?? 1);
  const close = () => dialogs.set({ difference: false });
  const start = async () => {
    if (!first || !second) return;
    const queued = await attempt(
      ask.layers.difference({
        first: first.table,
        firstClass,
        second: second.table,
        secondClass,
        name: text('difference.name', { first: first.name, second: second.name }),
      }),
    );
    if (!queued) return;
    layout.show('jobs');
    close();
  };
  const choice = (
    label: string,
    layer: ProjectLayer | undefined,
    setLayer: (layer: ProjectLayer | undefined) => void,
    classId: number,
    setClass: (id: number) => void,
  ) => (
    <label>
      <span>{label}</span>
      <select
        aria-label={label}
        value={layer?.table}
        onChange={(event) => {
          const chosen = layers.find(({ table }) => table === event.target.value);
          setLayer(chosen);
          setClass(chosen?.classes[0]?.id ?? 1);
        }}
      >
        {layers.map(({ table, name }) => (
          <option key={table} value={table}>
            {name}
          </option>
        ))}
      </select>
      <select
        aria-label={`${label}: ${text('column.class')}`}
        value={classId}
        onChange={(event) => setClass(Number(event.target.value))}
      >
        {layer?.classes.map(({ id, name }) => (
          <option key={id} value={id}>
            {name}
          </option>
        ))}
      </select>
    </label>
  );
  return (
    <Dialog
      title={text('command.difference')}
      onClose={close}
      actions={
        <>
          <button type="button" onClick={close}>
            {text('action.cancel')}
          </button>
          <button type="button" className="main" disabled={!first || !second} onClick={() => void start()}>
            {text('difference.start')}
          </button>
        </>
      }
    >
      <p className="quiet">{text('difference.about')}</p>
      <div className="fields">
        {choice(text('difference.first'), first, setFirst, firstClass, setFirstClass)}
        {choice(text('difference.second'), second, setSecond, secondClass, setSecondClass)}
      </div>
    </Dialog>
  );
}
