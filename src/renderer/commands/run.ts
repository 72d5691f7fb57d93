import type { Box } from '../../main/rpc/base.ts';
import type { ProjectScene } from '../../main/rpc/project.ts';
import type { Prompt } from '../../main/rpc/prompts.ts';
import type { RunSettings } from '../../main/rpc/runs.ts';
import { attempt } from '../connection/attempt.ts';
import { ask } from '../connection/client.ts';
import { log } from '../connection/watch.ts';
import { mapActions } from '../map/index.ts';
import { dialogs } from '../state/dialogs.ts';
import { layout } from '../state/layout.ts';
import { host } from '../state/project.ts';
import { type KeptSettings, keptSettings, runKey } from '../state/run-settings.ts';
import { session } from '../state/session.ts';
import { textNow } from '../texts/catalogue.ts';
import { ahead } from './ahead.ts';
import { beginLive } from './live.ts';

/** The scene that a run works on: the selected one, else the topmost. */
export function runScene(): ProjectScene | null {
  const { project } = host.get();
  const { node } = session.get();
  return project?.scenes.find(({ id }) => `scene:${id}` === node) ?? project?.scenes.at(-1) ?? null;
}

/** Box of the run in the project's system; null: the whole scene. */
export function runExtent(): Box | null {
  const { extent } = session.get();
  if (extent.kind === 'box') return extent.box;
  return extent.kind === 'view' ? mapActions.extentOfView() : null;
}

/** Settings of the next run as they stand on the screen, or null without a class. */
export function runSettings(extent: Box | null = runExtent()): RunSettings | null {
  const { project } = host.get();
  if (!project || project.prompts.length === 0) return null;
  return { ...keptSettings(project.settings), prompts: project.prompts, extent };
}

/** Changes settings of the next run: at once on the screen, so that what is typed stays and a run takes it. */
export async function saveRunSettings(part: Partial<KeptSettings>): Promise<void> {
  const { project } = host.get();
  if (!project) return;
  const value = { ...keptSettings(project.settings), ...part };
  await ahead({ settings: { ...project.settings, [runKey]: value } }, () =>
    ask.project.saveSetting({ key: runKey, value, label: textNow('step.settings') }),
  );
}

/** Changes the classes, at once on the screen. */
export async function savePrompts(prompts: Prompt[], label: string): Promise<void> {
  await ahead({ prompts }, () => ask.prompts.save({ prompts, label }));
}

function missing(): boolean {
  const { project } = host.get();
  if (!runScene()) {
    dialogs.set({
      problem: { code: 'screen/no-scene', message: textNow('run.noScene'), hint: textNow('run.noSceneHint') },
    });
    return true;
  }
  if (project!.prompts.length === 0) {
    layout.show('prompts');
    dialogs.set({
      problem: { code: 'screen/no-class', message: textNow('run.noClass'), hint: textNow('run.noClassHint') },
    });
    return true;
  }
  return false;
}

let previewing: AbortController | null = null;

/** Labels of what the active view shows, above its scene. A new preview ends the one before. */
export async function preview(): Promise<void> {
  if (missing()) return;
  const scene = runScene()!;
  const settings = runSettings(mapActions.extentOfView())!;
  previewing?.abort();
  const own = new AbortController();
  previewing = own;
  session.set({ previewing: true, previewShare: 0 });
  const result = await attempt(ask.runs.preview({ sceneId: scene.id, settings }, { signal: own.signal }));
  if (previewing !== own) return;
  previewing = null;
  session.set({ previewing: false, ...(result && { preview: result.picture, heat: null }) });
  if (!result) return;
  beginLive(result.view, settings);
  log('info', textNow('log.preview', { seconds: result.seconds.toFixed(1) }));
}

export function cancelPreview(): void {
  previewing?.abort();
  previewing = null;
  session.set({ previewing: false });
}

/** Queues a run with the settings on the screen. */
export const run = (): Promise<void> => startRun(false);

/** Queues a run with the classes on the screen; `stored`: of what is stored of the scene. */
export async function startRun(stored: boolean): Promise<void> {
  if (missing()) return;
  const scene = runScene()!;
  const { project } = host.get();
  const taken = new Set(project!.layers.map(({ name }) => name));
  let name = textNow('run.layerName', { scene: scene.name.replace(/\.[^.]+$/, '') });
  for (let number = 2; taken.has(name); number++)
    name = `${textNow('run.layerName', { scene: scene.name.replace(/\.[^.]+$/, '') })} ${number}`;
  const started = await attempt(
    ask.runs.start({ sceneId: scene.id, name, settings: runSettings()!, stored }),
  );
  if (!started) return;
  session.set({ preview: null });
  layout.show('jobs');
}
