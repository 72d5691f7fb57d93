import { attempt } from '../connection/attempt.ts';
import { ask } from '../connection/client.ts';
import { log } from '../connection/watch.ts';
import { mapActions } from '../map/index.ts';
import { dialogs } from '../state/dialogs.ts';
import { layout } from '../state/layout.ts';
import { host } from '../state/project.ts';
import { session } from '../state/session.ts';
import { textNow } from '../texts/catalogue.ts';
import { beginLive } from './live.ts';
import { runScene, runSettings } from './next-run.ts';

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
  // Of this view from the first moment that its picture is there: a question about the one before would find it gone.
  if (result) beginLive(result.view, settings);
  session.set({ previewing: false, ...(result && { preview: result.picture, heat: null }) });
  if (!result) return;
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
