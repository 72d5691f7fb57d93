import type { Box } from '../../main/rpc/base.ts';
import type { ProjectState } from '../../main/rpc/project.ts';
import type { System } from '../../main/rpc/systems.ts';
import { host } from '../state/project.ts';
import { type MapView, session } from '../state/session.ts';
import {
  boxInSystem,
  inSystem,
  type MapSystem,
  mapSystem,
  resolutionOf,
  scaleOf,
  systemNamed,
  unitRatio,
} from './projection.ts';
import { openMaps } from './registry.ts';

/** Milliseconds of a zoom: short enough not to be waited for. */
const quick = 150;
const mostViews = 4;

function active() {
  return openMaps.get(session.get().activeView) ?? [...openMaps.values()][0] ?? null;
}

function zoomBy(factor: number): void {
  const view = active()?.map.getView();
  const resolution = view?.getResolution();
  if (view && resolution) view.animate({ resolution: resolution * factor, duration: quick });
}

/** Box of a tree node in the project's system, or null while it is unknown. */
export function extentOfNode(project: ProjectState, node: string): Box | null {
  const kind = node.slice(0, node.indexOf(':'));
  const key = node.slice(node.indexOf(':') + 1);
  if (kind === 'layer') return project.layers.find(({ table }) => table === key)?.extent ?? null;
  if (kind === 'scene') return project.scenes.find(({ id }) => String(id) === key)?.extent ?? null;
  if (kind === 'raster') return project.rasters.find(({ id }) => String(id) === key)?.extent ?? null;
  return null;
}

/** The box around all scenes and layers, in the project's system. */
export function fullExtent(project: ProjectState): Box | null {
  const boxes = [...project.scenes, ...project.layers, ...project.rasters].flatMap(({ extent }) =>
    extent ? [extent] : [],
  );
  if (boxes.length === 0) return null;
  return boxes.reduce((all, box) => [
    Math.min(all[0], box[0]),
    Math.min(all[1], box[1]),
    Math.max(all[2], box[2]),
    Math.max(all[3], box[3]),
  ]);
}

function fitTo(box: Box, margin = 24): void {
  const open = active();
  const { project } = host.get();
  if (!open || !project) return;
  const own = boxInSystem(box, mapSystem(project.system), open.system());
  open.map.getView().fit(own, { padding: [margin, margin, margin, margin], duration: quick });
}

function step(from: 'past' | 'future', to: 'past' | 'future'): void {
  const open = active();
  const place = open?.[from].pop();
  if (!open || !place) return;
  const view = open.map.getView();
  open[to].push({ centre: view.getCenter() as [number, number], resolution: view.getResolution()! });
  open.stepped = place;
  view.setCenter(place.centre);
  view.setResolution(place.resolution);
}

function changeView(id: number, change: Partial<MapView>): void {
  session.set(({ views }) => ({
    views: views.map((view) => (view.id === id ? { ...view, ...change } : view)),
  }));
}

/** What commands and panels ask of the active map. Boxes and points are in the project's system. */
export const mapActions = {
  zoomIn: () => zoomBy(0.5),
  zoomOut: () => zoomBy(2),
  zoomFull() {
    const { project } = host.get();
    const box = project && fullExtent(project);
    if (box) fitTo(box);
  },
  zoomTo: (box: Box) => fitTo(box, 60),
  /** A box of a system, which may have been the project's, by its name. */
  async zoomToBoxOf(box: Box, crs: string) {
    const { project } = host.get();
    if (!project) return;
    const here = mapSystem(project.system);
    // A system without a code has no name that outlives it.
    const from = crs.startsWith('EPSG:') ? await systemNamed(crs) : here;
    fitTo(boxInSystem(box, from, here), 60);
  },
  /** A box of a system in the project's. */
  inProject(box: Box, system: System): Box | null {
    const { project } = host.get();
    return project && boxInSystem(box, mapSystem(system), mapSystem(project.system));
  },
  zoomToLayer(node: string) {
    const { project } = host.get();
    const box = project && extentOfNode(project, node);
    if (box) fitTo(box);
  },
  /** One screen pixel a pixel of the selected scene, or of the first. */
  nativeResolution() {
    const { project } = host.get();
    const open = active();
    if (!project || !open) return;
    const { node } = session.get();
    const scene = project.scenes.find(({ id }) => `scene:${id}` === node) ?? project.scenes[0];
    if (!scene?.info || !scene.extent) return;
    const { width, height } = scene.info;
    const [left, bottom, right, top] = scene.extent;
    const own = Math.sqrt(((right - left) * (top - bottom)) / (width * height));
    const centre = open.map.getView().getCenter() as [number, number];
    open.map.getView().setResolution(own * unitRatio(centre, mapSystem(project.system), open.system()));
  },
  zoomLast: () => step('past', 'future'),
  zoomNext: () => step('future', 'past'),
  goTo(x: number, y: number) {
    const { project } = host.get();
    const open = active();
    if (project && open)
      open.map.getView().setCenter(inSystem([x, y], mapSystem(project.system), open.system()));
  },
  panBy(columns: number, rows: number) {
    const open = active();
    const view = open?.map.getView();
    const centre = view?.getCenter();
    const size = open?.map.getSize();
    const resolution = view?.getResolution();
    if (!view || !centre || !size || !resolution) return;
    const turn = view.getRotation();
    const dx = columns * size[0]! * 0.25 * resolution;
    const dy = -rows * size[1]! * 0.25 * resolution;
    view.setCenter([
      centre[0]! + dx * Math.cos(turn) - dy * Math.sin(turn),
      centre[1]! + dx * Math.sin(turn) + dy * Math.cos(turn),
    ]);
  },
  /** What the view shows; null before it shows anything. */
  extentOfView(id?: number): Box | null {
    const open = id === undefined ? active() : openMaps.get(id);
    const { project } = host.get();
    const size = open?.map.getSize();
    if (!open || !project || !size || !open.map.getView().getCenter()) return null;
    const box = open.map.getView().calculateExtent(size) as Box;
    return boxInSystem(box, open.system(), mapSystem(project.system));
  },
  addView() {
    session.set(({ views, activeView }) => {
      if (views.length >= mostViews) return {};
      const model = views.find(({ id }) => id === activeView) ?? views[0]!;
      const id = Math.max(...views.map((view) => view.id)) + 1;
      return {
        views: [
          ...views,
          { ...model, id, crs: null, resolution: model.crs ? 0 : model.resolution, hidden: [] },
        ],
        activeView: id,
      };
    });
  },
  removeView(id: number) {
    session.set(({ views, activeView }) => {
      if (views.length === 1) return {};
      const left = views.filter((view) => view.id !== id);
      return { views: left, activeView: activeView === id ? left[0]!.id : activeView };
    });
  },
  /** Null: the project's system again. */
  setViewSystem: (id: number, crs: string | null) => changeView(id, { crs }),
  setHidden: (id: number, hidden: readonly string[]) => changeView(id, { hidden }),
  refresh() {
    for (const { map } of openMaps.values())
      for (const layer of map.getAllLayers()) layer.getSource()?.refresh();
  },
  cancelTool() {
    for (const open of openMaps.values()) open.cancelTool();
    session.set({ tool: 'pan' });
  },
  setRotation(degrees: number) {
    active()
      ?.map.getView()
      .setRotation((degrees * Math.PI) / 180);
  },
  setScale(denominator: number) {
    const open = active();
    const centre = open?.map.getView().getCenter() as [number, number] | undefined;
    if (open && centre) open.map.getView().setResolution(resolutionOf(denominator, open.system(), centre));
  },
  /** Denominator of the scale, for screen pixels of 0.28 mm. */
  scaleOfView(view: MapView, system: MapSystem | null): number | null {
    if (!system || view.resolution === 0) return null;
    return scaleOf(view.resolution, system, view.centre);
  },
};
