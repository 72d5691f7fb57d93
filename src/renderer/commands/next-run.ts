import type { Box } from '../../main/rpc/base.ts';
import type { ProjectScene } from '../../main/rpc/project.ts';
import type { Prompt } from '../../main/rpc/prompts.ts';
import type { RunSettings } from '../../main/rpc/runs.ts';
import { ask } from '../connection/client.ts';
import { mapActions } from '../map/index.ts';
import { host } from '../state/project.ts';
import { type KeptSettings, keptSettings, runKey } from '../state/run-settings.ts';
import { session } from '../state/session.ts';
import { textNow } from '../texts/catalogue.ts';
import { ahead } from './ahead.ts';

/**
 * File of the scene that was selected last: whoever looks at its result goes on working with it, in a copy of the project
 * as well.
 */
let lastScene: string | null = null;
session.subscribe(() => {
  lastScene = selectedScene()?.path ?? lastScene;
});

function selectedScene(): ProjectScene | undefined {
  const { node } = session.get();
  return host.get().project?.scenes.find(({ id }) => `scene:${id}` === node);
}

/** The scene that a run works on: the selected one, else the one selected last, else the topmost. */
export function runScene(): ProjectScene | null {
  const { project } = host.get();
  if (!project) return null;
  const { scenes } = project;
  return selectedScene() ?? scenes.find(({ path }) => path === lastScene) ?? scenes.at(-1) ?? null;
}

/** Box of the run in the project's system; null: the whole scene. */
export function runExtent(): Box | null {
  const { extent } = session.get();
  if (extent.kind === 'box') return mapActions.inProject(extent.box, extent.system);
  return extent.kind === 'view' ? mapActions.extentOfView() : null;
}

/** Settings of the next run as they stand on the screen, or null without a class. */
export function runSettings(extent: Box | null = runExtent()): RunSettings | null {
  const { project } = host.get();
  if (!project || project.prompts.length === 0) return null;
  const kept = keptSettings(project.settings);
  // A class that is taken away may come back with undo, and is the background again then.
  const background = project.prompts.some(({ name }) => name === kept.background) ? kept.background : null;
  return { ...kept, background, prompts: project.prompts, extent };
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
