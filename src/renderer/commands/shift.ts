import { attempt } from '../connection/attempt.ts';
import { ask } from '../connection/client.ts';
import { host } from '../state/project.ts';
import { session } from '../state/session.ts';
import { textNow } from '../texts/catalogue.ts';

/** Metres on the ground; pixels to the right and upwards without a reference system. */
export interface GroundShift {
  east: number;
  north: number;
}

/** Moves a scene on the map: in the active view, for this session, or in all views and with the project. */
export async function moveScene(id: number, by: GroundShift, where: 'view' | 'all'): Promise<void> {
  const scene = host.get().project?.scenes.find((each) => each.id === id);
  if (!scene) return;
  if (where === 'view') {
    const { activeView } = session.get();
    session.set(({ views }) => ({
      views: views.map((view) =>
        view.id === activeView ? { ...view, shifts: { ...view.shifts, [`scene:${id}`]: by } } : view,
      ),
    }));
    return;
  }
  await attempt(
    ask.scenes.change({
      id,
      display: { ...scene.display, shift: { ...by } },
      label: textNow('shift.step'),
    }),
  );
}

/** Whether a scene is moved in the active view or in all of them. */
export function isMoved(node: string | null): boolean {
  const { views, activeView } = session.get();
  if (node === null) return false;
  if (views.find(({ id }) => id === activeView)?.shifts?.[node]) return true;
  return host.get().project?.scenes.find(({ id }) => `scene:${id}` === node)?.display.shift !== undefined;
}

/** Puts a scene back where its file says, in the active view and in all of them. */
export async function moveBack(node: string): Promise<void> {
  const { activeView } = session.get();
  session.set(({ views }) => ({
    views: views.map((view) => {
      if (view.id !== activeView || !view.shifts?.[node]) return view;
      const { [node]: _, ...shifts } = view.shifts;
      return { ...view, shifts };
    }),
  }));
  const scene = host.get().project?.scenes.find(({ id }) => `scene:${id}` === node);
  if (scene?.display.shift === undefined) return;
  const { shift: _, ...display } = scene.display;
  await attempt(ask.scenes.change({ id: scene.id, display, label: textNow('shift.backStep') }));
}
