import { attempt } from '../connection/attempt.ts';
import { ask } from '../connection/client.ts';
import { log } from '../connection/watch.ts';
import { mapActions } from '../map/index.ts';
import { dialogs } from '../state/dialogs.ts';
import { layout } from '../state/layout.ts';
import { preferences } from '../state/preferences.ts';
import { host } from '../state/project.ts';
import { session, type Tool } from '../state/session.ts';
import { type TextKey, textNow } from '../texts/catalogue.ts';
import { saveTree } from './ahead.ts';
import { chooseFiles } from './choose-files.ts';
import { changeNode, findNode, nodeName, withoutNode } from './layer-tree.ts';
import { overwriting } from './overwriting.ts';
import { preview, run } from './run.ts';
import { isMoved, moveBack } from './shift.ts';

export type MenuName = 'project' | 'edit' | 'view' | 'layer' | 'raster' | 'vector' | 'processing' | 'help';

/** An action that a menu, a tool, a key or the palette may start. */
export interface Command {
  id: string;
  label: TextKey;
  menu: MenuName | null;
  /** `Ctrl+Shift+R`; on a Mac, Ctrl is ⌘. The first is shown. */
  keys?: readonly string[];
  /** A line above it in the menu. */
  separated?: boolean;
  enabled?: () => boolean;
  checked?: () => boolean;
  /** What it would be done to now. */
  about?: () => string | null;
  run(): unknown;
}

const project = () => host.get().project;
const writable = () => project()?.access === 'write';
const selectedLayer = () => {
  const { node } = session.get();
  return node?.startsWith('layer:') ? node.slice('layer:'.length) : (project()?.layers.at(-1)?.table ?? null);
};
const hasSelection = () => session.get().selection.fids.size > 0;
const tool = (name: Tool) => () => session.set({ tool: name });

export async function openScenes(paths: readonly string[] | null): Promise<void> {
  if (!paths || paths.length === 0) return;
  const first = !project() || project()!.scenes.length === 0;
  const ids = await attempt(ask.scenes.add({ paths: [...paths] }));
  if (!ids) return;
  session.set({ node: `scene:${ids.at(-1)!}` });
  if (!first) log('info', textNow('log.opened', { count: ids.length }));
}

async function changeProject(action: () => Promise<unknown>): Promise<void> {
  session.set({
    node: null,
    selection: { layer: null, fids: new Set() },
    preview: null,
    extent: { kind: 'scene' },
  });
  await action();
}

async function removeNode(): Promise<void> {
  const state = project();
  const { node: id } = session.get();
  const node = state && id ? findNode(state.tree, id) : null;
  if (!state || !node) return;
  const key = node.id.slice(node.id.indexOf(':') + 1);
  if (node.kind === 'scene') await attempt(ask.scenes.remove({ id: Number(key) }));
  else if (node.kind === 'layer') await attempt(ask.layers.drop({ layer: key }));
  else
    await saveTree(withoutNode(state.tree, node.id), textNow('step.remove', { name: nodeName(state, node) }));
  session.set({ node: null });
}

export async function saveVisible(id: string, visible: boolean): Promise<void> {
  const state = project();
  const node = state && findNode(state.tree, id);
  if (!state || !node) return;
  const label = textNow(visible ? 'step.show' : 'step.hide', { name: nodeName(state, node) });
  await saveTree(
    changeNode(state.tree, id, (old) => ({ ...old, visible })),
    label,
  );
}

async function editSelection(kind: 'remove' | 'merge'): Promise<void> {
  const { selection } = session.get();
  if (!selection.layer || selection.fids.size === 0) return;
  const request = { layer: selection.layer, fids: [...selection.fids] };
  if (kind === 'merge') {
    const merged = await attempt(ask.layers.merge(request));
    if (merged) session.set({ selection: { layer: selection.layer, fids: new Set([merged.fid]) } });
  } else {
    const done = await attempt(ask.layers.remove(request).then(() => true));
    if (done) session.set({ selection: { layer: selection.layer, fids: new Set() } });
  }
}

async function zoomToSelection(): Promise<void> {
  const { selection } = session.get();
  const state = project();
  if (!state || !selection.layer || selection.fids.size === 0) return;
  const box = await attempt(
    ask.layers.extent({ layer: selection.layer, fids: [...selection.fids], crs: state.system.crs }),
  );
  if (box) mapActions.zoomTo(box);
}

async function addGroup(): Promise<void> {
  const state = project();
  if (!state) return;
  const id = `group:${Date.now().toString(36)}`;
  const group = {
    kind: 'group' as const,
    id,
    name: textNow('layers.newGroup'),
    open: true,
    visible: true,
    children: [],
  };
  await saveTree([group, ...state.tree], textNow('step.group'));
  session.set({ node: id });
}

async function addBookmark(): Promise<void> {
  const box = mapActions.extentOfView();
  const state = project();
  if (!box || !state) return;
  const name = textNow('view.bookmark', { number: state.views.length + 1 });
  const saved = await attempt(
    ask.project.saveView({ name, kind: 'bookmark', state: { box, crs: state.system.crs } }),
  );
  if (saved) log('info', textNow('log.bookmark', { name }));
}

/** Between the two layers that the difference dialog offers. */
const canCompare = () => (project()?.layers.length ?? 0) >= 2;

let flicker: ReturnType<typeof setInterval> | null = null;
/** Half a second on, half a second off: the eye finds what moves. */
function toggleFlicker(): void {
  if (flicker) {
    clearInterval(flicker);
    flicker = null;
    session.set({ swipe: null });
    return;
  }
  flicker = setInterval(() => session.set(({ swipe }) => ({ swipe: swipe === 0 ? 1 : 0 })), 500);
}

function toggleTheme(): void {
  const dark = document.documentElement.dataset.theme === 'dark';
  preferences.set({ theme: dark ? 'light' : 'dark' });
}

/** Every action, once. */
export const commands: readonly Command[] = [
  {
    id: 'project.new',
    label: 'command.newProject',
    menu: 'project',
    keys: ['Ctrl+N'],
    async run() {
      const [file] = (await chooseFiles('new-project')) ?? [];
      if (file)
        await changeProject(() => overwriting((overwrite) => ask.project.create({ path: file, overwrite })));
    },
  },
  {
    id: 'project.open',
    label: 'command.openProject',
    menu: 'project',
    keys: ['Ctrl+O'],
    async run() {
      const [file] = (await chooseFiles('open-project')) ?? [];
      if (file) await changeProject(() => attempt(ask.project.open({ path: file })));
    },
  },
  {
    id: 'project.save',
    label: 'command.save',
    menu: 'project',
    keys: ['Ctrl+S'],
    enabled: () => project() !== null,
    async run() {
      if (project()!.untitled) await commandOf('project.saveAs').run();
      else log('info', textNow('log.savedAlready'));
    },
  },
  {
    id: 'project.saveAs',
    label: 'command.saveAs',
    menu: 'project',
    keys: ['Ctrl+Shift+S'],
    enabled: () => project() !== null,
    async run() {
      const { untitled, path, scenes } = project()!;
      // An untitled project lies among the program's own files; its first scene names it.
      const name = scenes[0]?.name.replace(/\.[^.]+$/, '') ?? 'project';
      const [file] = (await chooseFiles('save-project', untitled ? `${name}.gpkg` : path)) ?? [];
      if (file) await overwriting((overwrite) => ask.project.saveAs({ path: file, overwrite }));
    },
  },
  {
    id: 'project.close',
    label: 'command.closeProject',
    menu: 'project',
    enabled: () => project() !== null,
    run: () => changeProject(() => attempt(ask.project.close())),
  },
  {
    id: 'project.repair',
    label: 'command.repair',
    menu: 'project',
    separated: true,
    enabled: () => (project()?.missing.length ?? 0) > 0,
    run: () => dialogs.set({ repair: true }),
  },
  {
    id: 'project.crs',
    label: 'command.projectCrs',
    menu: 'project',
    enabled: writable,
    run: () =>
      dialogs.set({
        crs: { current: project()!.system.crs, choose: (crs) => void attempt(ask.project.saveCrs({ crs })) },
      }),
  },
  {
    id: 'edit.undo',
    label: 'command.undo',
    menu: 'edit',
    keys: ['Ctrl+Z'],
    enabled: () => writable() && project()!.undo !== null,
    about: () => project()?.undo ?? null,
    run: () => attempt(ask.project.undo()),
  },
  {
    id: 'edit.redo',
    label: 'command.redo',
    menu: 'edit',
    keys: ['Ctrl+Shift+Z', 'Ctrl+Y'],
    enabled: () => writable() && project()!.redo !== null,
    about: () => project()?.redo ?? null,
    run: () => attempt(ask.project.redo()),
  },
  {
    id: 'edit.remove',
    label: 'command.removePolygons',
    menu: 'edit',
    keys: ['Delete'],
    separated: true,
    enabled: () => writable() && hasSelection(),
    run: () => editSelection('remove'),
  },
  {
    id: 'edit.merge',
    label: 'command.merge',
    menu: 'edit',
    enabled: () => writable() && session.get().selection.fids.size > 1,
    run: () => editSelection('merge'),
  },
  {
    id: 'edit.split',
    label: 'command.split',
    menu: 'edit',
    enabled: writable,
    checked: () => session.get().tool === 'split',
    run: tool('split'),
  },
  {
    id: 'edit.reshape',
    label: 'command.reshape',
    menu: 'edit',
    enabled: () => writable() && session.get().selection.fids.size === 1,
    checked: () => session.get().tool === 'reshape',
    run: tool('reshape'),
  },
  {
    id: 'edit.select',
    label: 'command.select',
    menu: 'edit',
    keys: ['Ctrl+Shift+E'],
    separated: true,
    checked: () => session.get().tool === 'select',
    run: tool('select'),
  },
  {
    id: 'edit.selectNone',
    label: 'command.selectNone',
    menu: 'edit',
    keys: ['Ctrl+Shift+A'],
    enabled: hasSelection,
    run: () => session.set({ selection: { layer: null, fids: new Set() } }),
  },
  {
    id: 'view.pan',
    label: 'command.pan',
    menu: 'view',
    checked: () => session.get().tool === 'pan',
    run: tool('pan'),
  },
  {
    id: 'view.zoomIn',
    label: 'command.zoomIn',
    menu: 'view',
    keys: ['PageUp', 'Ctrl++'],
    run: () => mapActions.zoomIn(),
  },
  {
    id: 'view.zoomOut',
    label: 'command.zoomOut',
    menu: 'view',
    keys: ['PageDown', 'Ctrl+-'],
    run: () => mapActions.zoomOut(),
  },
  {
    id: 'view.zoomFull',
    label: 'command.zoomFull',
    menu: 'view',
    keys: ['Ctrl+Shift+F'],
    run: () => mapActions.zoomFull(),
  },
  {
    id: 'view.native',
    label: 'command.native',
    menu: 'view',
    keys: ['Ctrl+Alt+1'],
    run: () => mapActions.nativeResolution(),
  },
  {
    id: 'view.zoomSelection',
    label: 'command.zoomSelection',
    menu: 'view',
    keys: ['Ctrl+J'],
    enabled: hasSelection,
    run: zoomToSelection,
  },
  {
    id: 'view.last',
    label: 'command.zoomLast',
    menu: 'view',
    keys: ['Alt+ArrowLeft'],
    run: () => mapActions.zoomLast(),
  },
  {
    id: 'view.next',
    label: 'command.zoomNext',
    menu: 'view',
    keys: ['Alt+ArrowRight'],
    run: () => mapActions.zoomNext(),
  },
  {
    id: 'view.identify',
    label: 'command.identify',
    menu: 'view',
    keys: ['Ctrl+Shift+I'],
    separated: true,
    checked: () => session.get().tool === 'identify',
    run: tool('identify'),
  },
  {
    id: 'view.measureLine',
    label: 'command.measureLine',
    menu: 'view',
    keys: ['Ctrl+Shift+M'],
    checked: () => session.get().tool === 'measure-line',
    run: tool('measure-line'),
  },
  {
    id: 'view.measureArea',
    label: 'command.measureArea',
    menu: 'view',
    keys: ['Ctrl+Shift+J'],
    checked: () => session.get().tool === 'measure-area',
    run: tool('measure-area'),
  },
  {
    id: 'view.bookmark',
    label: 'command.bookmark',
    menu: 'view',
    keys: ['Ctrl+B'],
    separated: true,
    enabled: writable,
    run: addBookmark,
  },
  {
    id: 'view.new',
    label: 'command.newView',
    menu: 'view',
    keys: ['Ctrl+M'],
    enabled: () => session.get().views.length < 4,
    run: () => mapActions.addView(),
  },
  {
    id: 'view.close',
    label: 'command.closeView',
    menu: 'view',
    enabled: () => session.get().views.length > 1,
    run: () => mapActions.removeView(session.get().activeView),
  },
  {
    id: 'view.link',
    label: 'command.link',
    menu: 'view',
    checked: () => session.get().linked,
    run: () => session.set(({ linked }) => ({ linked: !linked })),
  },
  {
    id: 'view.viewCrs',
    label: 'command.viewCrs',
    menu: 'view',
    enabled: () => project() !== null,
    run() {
      const { activeView, views } = session.get();
      const own = views.find(({ id }) => id === activeView)!;
      const current = own.crs ?? project()!.system.crs;
      dialogs.set({
        crs: {
          current,
          choose: (crs) => mapActions.setViewSystem(activeView, crs === project()!.system.crs ? null : crs),
        },
      });
    },
  },
  {
    id: 'view.swipe',
    label: 'command.swipe',
    menu: 'view',
    checked: () => session.get().swipe !== null && flicker === null,
    run() {
      if (flicker) toggleFlicker();
      session.set(({ swipe }) => ({ swipe: swipe === null ? 0.5 : null }));
    },
  },
  {
    id: 'view.flicker',
    label: 'command.flicker',
    menu: 'view',
    checked: () => flicker !== null,
    run: toggleFlicker,
  },
  {
    id: 'view.refresh',
    label: 'command.refresh',
    menu: 'view',
    keys: ['F5'],
    run: () => mapActions.refresh(),
  },
  {
    id: 'view.fullScreen',
    label: 'command.fullScreen',
    menu: 'view',
    keys: ['F11'],
    run: () =>
      document.fullscreenElement ? document.exitFullscreen() : document.documentElement.requestFullscreen(),
  },
  {
    id: 'view.layers',
    label: 'command.showLayers',
    menu: 'view',
    keys: ['Ctrl+1'],
    separated: true,
    run: () => layout.show('layers'),
  },
  {
    id: 'view.styling',
    label: 'command.showStyling',
    menu: 'view',
    keys: ['Ctrl+3'],
    run: () => layout.show('styling'),
  },
  {
    id: 'view.jobs',
    label: 'command.showJobs',
    menu: 'view',
    keys: ['Ctrl+4'],
    run: () => layout.show('jobs'),
  },
  { id: 'view.log', label: 'command.showLog', menu: 'view', keys: ['Ctrl+5'], run: () => layout.show('log') },
  { id: 'view.theme', label: 'command.theme', menu: 'view', separated: true, run: toggleTheme },
  {
    id: 'view.language',
    label: 'command.language',
    menu: 'view',
    run: () => preferences.set({ language: preferences.get().language === 'en' ? 'de' : 'en' }),
  },
  { id: 'view.resetLayout', label: 'command.resetLayout', menu: 'view', run: () => layout.reset() },
  {
    id: 'layer.addScene',
    label: 'command.openScene',
    menu: 'layer',
    keys: ['Ctrl+Shift+R'],
    run: async () => openScenes(await chooseFiles('open-scenes')),
  },
  {
    id: 'layer.addBands',
    label: 'command.openBands',
    menu: 'layer',
    async run() {
      const files = await chooseFiles('open-bands');
      if (files && files.length > 0) await openScenes([[...files].sort().join('+')]);
    },
  },
  { id: 'layer.group', label: 'command.newGroup', menu: 'layer', enabled: writable, run: addGroup },
  {
    id: 'layer.table',
    label: 'command.table',
    menu: 'layer',
    keys: ['F6'],
    enabled: () => selectedLayer() !== null,
    run: () => layout.show('table'),
  },
  {
    id: 'layer.zoom',
    label: 'command.zoomToLayer',
    menu: 'layer',
    enabled: () => session.get().node !== null,
    run: () => mapActions.zoomToLayer(session.get().node!),
  },
  {
    id: 'layer.remove',
    label: 'command.removeLayer',
    menu: 'layer',
    keys: ['Ctrl+D'],
    enabled: () => writable() && session.get().node !== null,
    run: removeNode,
  },
  {
    id: 'layer.export',
    label: 'command.export',
    menu: 'layer',
    keys: ['Ctrl+E'],
    separated: true,
    enabled: () => selectedLayer() !== null,
    run: () => dialogs.set({ export: selectedLayer() }),
  },
  {
    id: 'raster.properties',
    label: 'command.sceneProperties',
    menu: 'raster',
    run: () => layout.show('scene'),
  },
  {
    id: 'raster.shift',
    label: 'command.shift',
    menu: 'raster',
    enabled: () => (project()?.scenes.length ?? 0) >= 2,
    run: () => dialogs.set({ shift: true }),
  },
  {
    id: 'raster.unshift',
    label: 'command.unshift',
    menu: 'raster',
    enabled: () => isMoved(session.get().node),
    run: () => moveBack(session.get().node!),
  },
  {
    id: 'vector.difference',
    label: 'command.difference',
    menu: 'vector',
    enabled: canCompare,
    run: () => dialogs.set({ difference: true }),
  },
  {
    id: 'processing.preview',
    label: 'command.preview',
    menu: 'processing',
    keys: ['Ctrl+Enter'],
    enabled: () => (project()?.scenes.length ?? 0) > 0,
    run: preview,
  },
  {
    id: 'processing.run',
    label: 'command.run',
    menu: 'processing',
    keys: ['Ctrl+Shift+Enter'],
    enabled: () => writable() && project()!.scenes.length > 0,
    run,
  },
  {
    id: 'processing.extent',
    label: 'command.drawExtent',
    menu: 'processing',
    checked: () => session.get().tool === 'extent',
    run: tool('extent'),
  },
  {
    id: 'processing.packs',
    label: 'command.packs',
    menu: 'processing',
    separated: true,
    run: () => dialogs.set({ packs: true }),
  },
  {
    id: 'help.palette',
    label: 'command.palette',
    menu: 'help',
    keys: ['Ctrl+K'],
    run: () => dialogs.set({ palette: true }),
  },
  { id: 'help.about', label: 'command.about', menu: 'help', run: () => dialogs.set({ about: true }) },
  {
    id: 'tool.cancel',
    label: 'command.cancel',
    menu: null,
    keys: ['Escape'],
    async run() {
      const { tool: current } = session.get();
      if (current !== 'pan') {
        mapActions.cancelTool();
        return;
      }
      if (session.get().preview) {
        session.set({ preview: null });
        return;
      }
      const front = host.get().jobs.find(({ state }) => state === 'running');
      if (front) await attempt(ask.jobs.cancel({ id: front.id }));
    },
  },
];

export function commandOf(id: string): Command {
  const command = commands.find((candidate) => candidate.id === id);
  if (!command) throw new RangeError(`there is no command ${id}`);
  return command;
}

/** Runs it where it may run now. */
export function runCommand(id: string): void {
  const command = commandOf(id);
  if (command.enabled?.() ?? true) void command.run();
}
