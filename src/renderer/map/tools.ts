import Collection from 'ol/Collection.js';
import { mouseActionButton, noModifierKeys, platformModifierKeyOnly } from 'ol/events/condition.js';
import Feature from 'ol/Feature.js';
import type Geometry from 'ol/geom/Geometry.js';
import type LineString from 'ol/geom/LineString.js';
import Polygon from 'ol/geom/Polygon.js';
import DragBox from 'ol/interaction/DragBox.js';
import Draw from 'ol/interaction/Draw.js';
import type Interaction from 'ol/interaction/Interaction.js';
import Modify from 'ol/interaction/Modify.js';
import VectorLayer from 'ol/layer/Vector.js';
import type OlMap from 'ol/Map.js';
import type MapBrowserEvent from 'ol/MapBrowserEvent.js';
import type Overlay from 'ol/Overlay.js';
import VectorSource from 'ol/source/Vector.js';
import Fill from 'ol/style/Fill.js';
import Stroke from 'ol/style/Stroke.js';
import Style from 'ol/style/Style.js';
import type { Box } from '../../main/rpc/base.ts';
import type { ProjectState, TreeNode } from '../../main/rpc/project.ts';
import { attempt } from '../connection/attempt.ts';
import { ask } from '../connection/client.ts';
import { host } from '../state/project.ts';
import { keptSettings } from '../state/run-settings.ts';
import { session, type Tool } from '../state/session.ts';
import { textNow } from '../texts/catalogue.ts';
import { drawingOrder } from './layer-stack.ts';
import { pansAlways } from './panning.ts';
import { boxInSystem, inSystem, type MapSystem, mapSystem, outlineOf } from './projection.ts';

/** Screen pixels around a click that count as hit. */
const reach = 4;
const mark = new Style({
  stroke: new Stroke({ color: '#c2185b', width: 2, lineDash: [6, 4] }),
  fill: new Fill({ color: 'rgba(194, 24, 91, 0.08)' }),
});

const outline = new Style({ stroke: new Stroke({ color: '#c2185b', width: 1.5 }) });

type Leaf = Exclude<TreeNode, { kind: 'group' }>;

/** What clicks and drags on one map do, by the session's tool. */
export class MapTools {
  readonly #map: OlMap;
  readonly #popup: Overlay;
  readonly #system: () => MapSystem;
  readonly #marks = new VectorSource();
  readonly #layer = new VectorLayer({ source: this.#marks, style: mark, zIndex: 20_000 });
  readonly #extent = new VectorSource();
  readonly #extentLayer = new VectorLayer({ source: this.#extent, style: outline, zIndex: 19_000 });
  #interactions: Interaction[] = [];
  #onClick: ((event: MapBrowserEvent) => void) | null = null;
  #onKey: ((event: KeyboardEvent) => void) | null = null;

  constructor(map: OlMap, popup: Overlay, system: () => MapSystem) {
    this.#map = map;
    this.#popup = popup;
    this.#system = system;
    map.addLayer(this.#layer);
    map.addLayer(this.#extentLayer);
    map.on('singleclick', (event) => this.#onClick?.(event));
  }

  cancel(): void {
    for (const interaction of this.#interactions) this.#map.removeInteraction(interaction);
    this.#interactions = [];
    this.#marks.clear();
    this.#popup.setPosition(undefined);
    this.#onClick = null;
    if (this.#onKey) this.#map.getTargetElement()?.removeEventListener('keydown', this.#onKey);
    this.#onKey = null;
    const element = this.#map.getTargetElement();
    if (element) element.style.cursor = '';
  }

  start(tool: Tool): void {
    this.cancel();
    const element = this.#map.getTargetElement();
    if (element) element.style.cursor = tool === 'pan' ? 'grab' : tool === 'identify' ? 'help' : 'crosshair';
    if (tool === 'identify') this.#onClick = (event) => void this.#identify(event);
    if (tool === 'pan') this.#onClick = (event) => void this.#select(this.#around(event), event);
    if (tool === 'select') this.#startSelect();
    if (tool === 'extent') this.#startExtent();
    if (tool === 'measure-line' || tool === 'measure-area') this.#startMeasure(tool === 'measure-area');
    if (tool === 'split') this.#startSplit();
    if (tool === 'reshape') void this.#startReshape();
  }

  /** Draws the box that the next run works on, where one was drawn. */
  showExtent(): void {
    const { extent } = session.get();
    this.#extent.clear();
    if (extent.kind !== 'box') return;
    const from = mapSystem(extent.system);
    const ring = outlineOf(extent.box).map((point) => inSystem(point, from, this.#system()));
    this.#extent.addFeature(new Feature(new Polygon([ring])));
  }

  #add(interaction: Interaction): void {
    this.#interactions.push(interaction);
    this.#map.addInteraction(interaction);
  }

  /** The small box around a click, in the view's system. */
  #around(event: MapBrowserEvent): Box {
    const [x, y] = event.coordinate as [number, number];
    const around = reach * this.#map.getView().getResolution()!;
    return [x - around, y - around, x + around, y + around];
  }

  /** The view's system by the name that calls take; boxes of views in other systems go by the project's. */
  #asked(box: Box): { crs: string; box: Box } {
    const { project } = host.get();
    const to = mapSystem(project!.system);
    return { crs: project!.system.crs, box: boxInSystem(box, this.#system(), to) };
  }

  async #identify(event: MapBrowserEvent): Promise<void> {
    const { project } = host.get();
    if (!project) return;
    const { crs, box } = this.#asked(this.#around(event));
    const point = inSystem(event.coordinate as [number, number], this.#system(), mapSystem(project.system));
    const rows: [string, string][] = [];
    for (const { node, visible } of drawingOrder(project.tree).reverse()) {
      if (!visible) continue;
      const key = node.id.slice(node.id.indexOf(':') + 1);
      if (node.kind === 'layer') {
        const layer = project.layers.find(({ table }) => table === key);
        const found =
          layer && (await attempt(ask.layers.at({ layer: key, crs, box, ...shownOf(node), limit: 1 })));
        const polygon = found?.[0];
        if (!layer || !polygon) continue;
        rows.push(
          [layer.name, `${polygon.className} (${polygon.fid})`],
          [textNow('column.confidence'), `${Math.round(polygon.confidence * 100)} %`],
          [textNow('column.area'), areaText(polygon.area, layer.crs)],
          [textNow('column.perimeter'), lengthText(polygon.perimeter, layer.crs)],
        );
      } else if (node.kind === 'scene') {
        const scene = project.scenes.find(({ id }) => String(id) === key);
        const value =
          scene && (await attempt(ask.scenes.identify({ id: scene.id, crs, x: point[0], y: point[1] })));
        if (scene && value)
          rows.push([
            scene.name,
            value.values.map((band) => (band === null ? '–' : numberText(band))).join('  '),
          ]);
      }
    }
    const likely = await this.#likely(crs, point);
    rows.push(...likely.rows);
    this.#tell(event.coordinate, rows.length > 0 ? rows : [[textNow('map.nothingHere'), '']], likely.buttons);
  }

  /** What the encoded view takes the point for, and what may be made of it; nothing outside of it. */
  async #likely(
    crs: string,
    point: [number, number],
  ): Promise<{ rows: [string, string][]; buttons: [string, () => void][] }> {
    const { live, preview, example } = session.get();
    if (live === null || preview === null) return { rows: [], buttons: [] };
    const { templates } = keptSettings(host.get().project?.settings);
    // Off the preview there is nothing to tell, and that is no failure.
    const words = await ask.runs.likely({ view: live, crs, point, templates }).catch(() => null);
    if (words === null) return { rows: [], buttons: [] };
    const want = (join: boolean) => {
      session.set({ exampleWanted: { crs, point, join } });
      this.#popup.setPosition(undefined);
    };
    return {
      rows: words.map(({ word, similarity }, i) => [
        i === 0 ? textNow('map.looksLike') : '',
        `${word} (${similarity.toFixed(3)})`,
      ]),
      buttons: [
        [textNow('map.moreLikeThis'), () => want(false)],
        ...(example && example.crs === crs
          ? [[textNow('map.joinExample', { name: example.name }), () => want(true)] as [string, () => void]]
          : []),
      ],
    };
  }

  #tell(at: number[], rows: [string, string][], buttons: readonly [string, () => void][] = []): void {
    const element = this.#popup.getElement()!;
    element.replaceChildren(
      ...rows.map(([name, value]) => {
        const row = document.createElement('div');
        const label = document.createElement('span');
        label.textContent = name;
        const content = document.createElement('b');
        content.textContent = value;
        row.append(label, content);
        return row;
      }),
      ...buttons.map(([label, run]) => {
        const button = document.createElement('button');
        button.type = 'button';
        button.textContent = label;
        button.addEventListener('click', run);
        return button;
      }),
    );
    this.#popup.setPosition(at);
  }

  /** The layer that is selected in the tree, else the topmost visible one. */
  #editedLayer(): { project: ProjectState; node: Leaf; table: string } | null {
    const { project } = host.get();
    if (!project) return null;
    const order = drawingOrder(project.tree).reverse();
    const { node: chosen } = session.get();
    const found =
      order.find(({ node }) => node.kind === 'layer' && node.id === chosen) ??
      order.find(({ node, visible }) => node.kind === 'layer' && visible);
    return found ? { project, node: found.node, table: found.node.id.slice('layer:'.length) } : null;
  }

  async #select(box: Box, event: { originalEvent: Event } | null): Promise<void> {
    const edited = this.#editedLayer();
    if (!edited) return;
    const adding = (event?.originalEvent as PointerEvent | undefined)?.shiftKey ?? false;
    const asked = this.#asked(box);
    const found = await attempt(
      ask.layers.touching({ layer: edited.table, ...asked, ...shownOf(edited.node) }),
    );
    if (!found) return;
    const { selection } = session.get();
    const before = adding && selection.layer === edited.table ? selection.fids : [];
    session.set({ selection: { layer: edited.table, fids: new Set([...before, ...found]) } });
  }

  #startSelect(): void {
    this.#onClick = (event) => void this.#select(this.#around(event), event);
    const drag = new DragBox({
      condition: (event) => mouseActionButton(event) && !platformModifierKeyOnly(event) && !pansAlways(event),
      className: 'map-dragbox',
    });
    drag.on(
      'boxend',
      (event) => void this.#select(drag.getGeometry().getExtent() as Box, event.mapBrowserEvent),
    );
    this.#add(drag);
  }

  #startExtent(): void {
    const drag = new DragBox({
      condition: (event) => mouseActionButton(event) && !pansAlways(event),
      className: 'map-dragbox',
    });
    drag.on('boxend', () => {
      const { project } = host.get();
      if (!project) return;
      const { box } = this.#asked(drag.getGeometry().getExtent() as Box);
      session.set({ extent: { kind: 'box', box, system: project.system }, tool: 'pan' });
    });
    this.#add(drag);
  }

  #startMeasure(closed: boolean): void {
    const draw = new Draw({
      source: this.#marks,
      type: closed ? 'Polygon' : 'LineString',
      style: mark,
      condition: draws,
    });
    draw.on('drawstart', () => {
      this.#marks.clear();
      this.#popup.setPosition(undefined);
    });
    draw.on('drawend', ({ feature }) => void this.#measured(feature.getGeometry()!, closed));
    this.#add(draw);
  }

  async #measured(shape: Geometry, closed: boolean): Promise<void> {
    const { project } = host.get();
    if (!project) return;
    const ring = closed
      ? (shape as Polygon).getCoordinates()[0]!.slice(0, -1)
      : (shape as LineString).getCoordinates();
    const to = mapSystem(project.system);
    const line = ring.flatMap((point) => inSystem(point as [number, number], this.#system(), to));
    const measured = await attempt(ask.systems.measure({ crs: project.system.crs, line, closed }));
    if (!measured) return;
    const { crs } = project.system;
    const rows: [string, string][] = [
      [textNow(closed ? 'column.perimeter' : 'measure.length'), lengthText(measured.length, crs)],
    ];
    if (measured.area !== null) rows.unshift([textNow('column.area'), areaText(measured.area, crs)]);
    this.#tell(ring.at(-1)!, rows);
  }

  #startSplit(): void {
    const draw = new Draw({ source: this.#marks, type: 'LineString', style: mark, condition: draws });
    draw.on('drawend', ({ feature }) => void this.#split(feature.getGeometry() as LineString));
    this.#add(draw);
  }

  async #split(shape: LineString): Promise<void> {
    const { selection } = session.get();
    const edited = this.#editedLayer();
    this.#marks.clear();
    if (!edited) return;
    const { crs } = edited.project.system;
    const to = mapSystem(edited.project.system);
    const line = shape
      .getCoordinates()
      .flatMap((point) => inSystem(point as [number, number], this.#system(), to));
    let fid = selection.layer === edited.table && selection.fids.size === 1 ? [...selection.fids][0]! : null;
    if (fid === null) {
      const [x, y] = shape.getCoordinateAt(0.5) as [number, number];
      const asked = this.#asked([x, y, x, y]);
      const found = await attempt(
        ask.layers.at({ layer: edited.table, ...asked, ...shownOf(edited.node), limit: 1 }),
      );
      fid = found?.[0]?.fid ?? null;
    }
    if (fid === null) return;
    const pieces = await attempt(ask.layers.split({ layer: edited.table, fid, crs, line }));
    if (pieces) session.set({ selection: { layer: edited.table, fids: new Set(pieces.fids) } });
  }

  /** The selected polygon's corners may be dragged; Enter keeps them. */
  async #startReshape(): Promise<void> {
    const { selection } = session.get();
    const edited = this.#editedLayer();
    if (!edited || selection.layer !== edited.table || selection.fids.size !== 1) {
      this.#tell(this.#map.getView().getCenter()!, [[textNow('edit.selectOne'), '']]);
      return;
    }
    const [fid] = selection.fids;
    const { crs } = edited.project.system;
    const from = mapSystem(edited.project.system);
    const polygon = await attempt(ask.layers.polygon({ layer: edited.table, fid: fid!, crs }));
    if (!polygon || session.get().tool !== 'reshape') return;
    const rings = polygon.rings.map((ring) => {
      const points: [number, number][] = [];
      for (let i = 0; i < ring.length; i += 2)
        points.push(inSystem([ring[i]!, ring[i + 1]!], from, this.#system()));
      return points;
    });
    const feature = new Feature(new Polygon(rings));
    this.#marks.addFeature(feature);
    this.#add(new Modify({ features: new Collection([feature]) }));
    this.#tell(rings[0]![0]!, [[textNow('edit.reshapeHint'), '']]);
    this.#onKey = (event) => {
      if (event.key !== 'Enter') return;
      const changed = feature
        .getGeometry()!
        .getCoordinates()
        .map((ring) => ring.flatMap((point) => inSystem(point as [number, number], this.#system(), from)));
      void attempt(ask.layers.reshape({ layer: edited.table, fid: fid!, crs, rings: changed }));
      session.set({ tool: 'pan' });
    };
    this.#map.getTargetElement()?.addEventListener('keydown', this.#onKey);
    this.#map.getTargetElement()?.focus();
  }
}

/** A click that sets a vertex. */
function draws(event: MapBrowserEvent): boolean {
  return noModifierKeys(event) && mouseActionButton(event) && !pansAlways(event);
}

/** What is not drawn is neither told nor chosen. */
function shownOf({ filter, hidden }: Leaf) {
  return { filter: filter ?? { confidence: 0, area: 0 }, hidden: hidden ?? [] };
}

function areaText(area: number, crs: string): string {
  if (crs === 'PIXELS') return `${area.toFixed(1)} px²`;
  return area >= 1e6 ? `${(area / 1e6).toFixed(3)} km²` : `${area.toFixed(1)} m²`;
}

function lengthText(length: number, crs: string): string {
  if (crs === 'PIXELS') return `${length.toFixed(1)} px`;
  return length >= 1e4 ? `${(length / 1000).toFixed(2)} km` : `${length.toFixed(1)} m`;
}

function numberText(value: number): string {
  return Number.isInteger(value) ? String(value) : value.toPrecision(5);
}
