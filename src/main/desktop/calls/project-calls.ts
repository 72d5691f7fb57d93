import { existsSync } from 'node:fs';
import path from 'node:path';
import type { Desktop } from '../desktop.ts';
import { systemNamed } from '../systems.ts';
import { calls } from './base.ts';

export function projectCalls(desktop: Desktop) {
  const { allowed } = desktop;
  const changed = <Result>(result: Result): Result => {
    desktop.changed();
    return result;
  };
  return {
    state: calls.project.state.handler(async () => (await desktop.open?.state(desktop.revision)) ?? null),
    create: calls.project.create.handler(async ({ input }) =>
      desktop.createProject(await allowed.check(input.path), input.overwrite),
    ),
    open: calls.project.open.handler(async ({ input }) =>
      desktop.openProject(await desktop.checkProjectPath(input.path)),
    ),
    saveAs: calls.project.saveAs.handler(async ({ input }) =>
      desktop.saveAs(await allowed.check(input.path), input.overwrite),
    ),
    close: calls.project.close.handler(() => desktop.closeProject()),
    recent: calls.project.recent.handler(async () =>
      (await desktop.recent.read()).map(({ path: file, opened }) => ({
        path: file,
        opened,
        name: path.basename(file).replace(/\.gpkg$/i, ''),
        exists: existsSync(file),
      })),
    ),
    undo: calls.project.undo.handler(() => changed(desktop.store.undo()?.label ?? null)),
    redo: calls.project.redo.handler(() => changed(desktop.store.redo()?.label ?? null)),
    saveTree: calls.project.saveTree.handler(({ input }) =>
      changed(desktop.project.saveTree(input.tree, input.label)),
    ),
    saveCrs: calls.project.saveCrs.handler(({ input }) =>
      changed(desktop.project.saveCrs(systemNamed(input.crs, desktop.project.crs()))),
    ),
    saveSetting: calls.project.saveSetting.handler(({ input }) =>
      changed(desktop.project.saveScreenSetting(input.key, input.value, input.label)),
    ),
    saveView: calls.project.saveView.handler(({ input }) => {
      const { id, name, kind, state } = input;
      const saved = desktop.store.saveView({ name, kind, state, ...(id !== undefined && { id }) });
      // Where the map is looked at changes all the time and is nobody else's business.
      if (kind === 'bookmark' || id === undefined) desktop.changed();
      return { id: saved };
    }),
    removeView: calls.project.removeView.handler(({ input }) => changed(desktop.store.removeView(input.id))),
    relink: calls.project.relink.handler(async ({ input }) =>
      changed(await desktop.store.relink(input.kind, input.id, await allowed.checkScene(input.path))),
    ),
  };
}
