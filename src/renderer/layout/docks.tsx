import {
  type DockviewApi,
  DockviewReact,
  type DockviewReadyEvent,
  type IDockviewPanelProps,
} from 'dockview-react';
import { useEffect, useRef } from 'react';
import { MapPanel } from '../map/index.ts';
import { JobsPanel } from '../panels/JobsPanel.tsx';
import { LayersPanel } from '../panels/LayersPanel.tsx';
import { LogPanel } from '../panels/LogPanel.tsx';
import { PromptsPanel } from '../panels/PromptsPanel.tsx';
import { RunPanel } from '../panels/RunPanel.tsx';
import { ScenePanel } from '../panels/ScenePanel.tsx';
import { StylingPanel } from '../panels/StylingPanel.tsx';
import { TablePanel } from '../panels/TablePanel.tsx';
import { layout, type PanelName } from '../state/layout.ts';
import { session } from '../state/session.ts';
import { textNow } from '../texts/catalogue.ts';
import { useText } from '../texts/use-text.ts';
import 'dockview-react/dist/styles/dockview.css';

const key = 'landscribe.layout.1';

/** The maps side by side; a panel of its own so that docks move around it. */
function Maps() {
  const views = session.use((value) => value.views);
  return (
    <div className={`maps count-${views.length}`}>
      {views.map(({ id }) => (
        <MapPanel key={id} view={id} />
      ))}
    </div>
  );
}

const panels: Record<string, React.FunctionComponent<IDockviewPanelProps>> = {
  map: Maps,
  layers: LayersPanel,
  styling: StylingPanel,
  scene: ScenePanel,
  prompts: PromptsPanel,
  run: RunPanel,
  jobs: JobsPanel,
  table: TablePanel,
  log: LogPanel,
};
const names: readonly PanelName[] = ['layers', 'styling', 'scene', 'prompts', 'run', 'jobs', 'table', 'log'];

/** Panels that move, tab and are remembered. */
export function Docks() {
  const api = useRef<DockviewApi | null>(null);
  const text = useText();

  useEffect(() => {
    for (const name of names) api.current?.getPanel(name)?.setTitle(text(`panel.${name}`));
    api.current?.getPanel('map')?.setTitle(text('panel.map'));
  }, [text]);

  const ready = ({ api: docks }: DockviewReadyEvent) => {
    api.current = docks;
    if (!restore(docks)) arrange(docks);
    docks.onDidLayoutChange(() => {
      try {
        localStorage.setItem(key, JSON.stringify(docks.toJSON()));
      } catch {
        // Private windows keep nothing.
      }
    });
    layout.show = (name) => {
      const panel = docks.getPanel(name) ?? addBack(docks, name);
      panel.api.setActive();
    };
    layout.reset = () => {
      docks.clear();
      arrange(docks);
    };
  };
  return (
    <DockviewReact className="docks" components={panels} onReady={ready} disableFloatingGroups={false} />
  );
}

function restore(docks: DockviewApi): boolean {
  try {
    const kept = localStorage.getItem(key);
    if (!kept) return false;
    docks.fromJSON(JSON.parse(kept));
    if (!docks.getPanel('map')) throw new Error('no map');
    for (const panel of docks.panels) panel.setTitle(textNow(`panel.${panel.id as PanelName}`));
    return true;
  } catch {
    docks.clear();
    localStorage.removeItem(key);
    return false;
  }
}

function addBack(docks: DockviewApi, name: PanelName) {
  const beside = names.map((other) => docks.getPanel(other)).find((panel) => panel !== undefined);
  return docks.addPanel({
    id: name,
    component: name,
    title: textNow(`panel.${name}`),
    ...(beside ? { position: { referencePanel: beside.id } } : { position: { direction: 'right' } }),
  });
}

/** As drawn in the design: layers left, what to look for right, work below. */
function arrange(docks: DockviewApi): void {
  const add = (id: PanelName | 'map', position?: object) =>
    docks.addPanel({
      id,
      component: id,
      title: textNow(`panel.${id}`),
      ...(position && { position }),
    } as Parameters<DockviewApi['addPanel']>[0]);
  const map = add('map');
  map.group.model.header.hidden = true;
  map.group.locked = 'no-drop-target';
  const prompts = add('prompts', { referencePanel: 'map', direction: 'right' });
  const run = add('run', { referencePanel: 'prompts', direction: 'below' });
  const layers = add('layers', { referencePanel: 'map', direction: 'left' });
  add('styling', { referencePanel: 'layers', direction: 'below' });
  add('scene', { referencePanel: 'styling', direction: 'within' });
  const jobs = add('jobs', { referencePanel: 'map', direction: 'below' });
  add('table', { referencePanel: 'jobs', direction: 'within' });
  add('log', { referencePanel: 'jobs', direction: 'within' });
  jobs.api.setActive();
  docks.getPanel('styling')!.api.setActive();
  // The map keeps its share of a narrow window, the classes theirs of a low one.
  layers.api.setSize({ width: Math.min(270, 0.27 * docks.width) });
  prompts.api.setSize({ width: Math.min(330, 0.33 * docks.width) });
  run.api.setSize({ height: Math.min(430, 0.55 * docks.height) });
  jobs.api.setSize({ height: 190 });
}
