import type BaseLayer from 'ol/layer/Base.js';
import TileLayer from 'ol/layer/Tile.js';
import type OlMap from 'ol/Map.js';
import XYZ from 'ol/source/XYZ.js';
import TileGrid from 'ol/tilegrid/TileGrid.js';
import { rasterTileAddress, vectorTileAddress } from '../../main/rpc/addresses.ts';
import type { Box } from '../../main/rpc/base.ts';
import type { ProjectLayer, ProjectState, TreeNode } from '../../main/rpc/project.ts';
import type { RasterStyle } from '../../main/rpc/scenes.ts';
import { host } from '../state/project.ts';
import { type MapView, session } from '../state/session.ts';
import { heatTable } from '../symbology/palette.ts';
import { DrawnPicture } from './drawn-picture.ts';
import { PaintedLayer } from './painted-layer.ts';
import { inSystem, type MapSystem, mapSystem, unitsOnGround } from './projection.ts';

type LeafNode = Exclude<TreeNode, { kind: 'group' }>;

/** The tree's leaves from bottom to top, with what their groups hide. */
export function drawingOrder(
  tree: readonly TreeNode[],
  visible = true,
): { node: LeafNode; visible: boolean }[] {
  const leaves: { node: LeafNode; visible: boolean }[] = [];
  for (const node of tree) {
    if (node.kind === 'group') leaves.unshift(...drawingOrder(node.children, visible && node.visible));
    else leaves.unshift({ node, visible: visible && node.visible });
  }
  return leaves;
}

/** Metres east and north; pixels to the right and upwards without a system. */
interface GroundShift {
  east: number;
  north: number;
}

interface Shown {
  layer: BaseLayer;
  /** What the source depends on: another one means another source. */
  source: string;
  /** Polygons are painted. */
  painted: PaintedLayer | null;
}

/** The layers of one map view, kept in step with the project and the session. */
export class LayerStack {
  readonly #map: OlMap;
  readonly #view: number;
  readonly #shown = new Map<string, Shown>();
  readonly #preview = new DrawnPicture();
  readonly #heat = new DrawnPicture();
  readonly #running = new Map<number, DrawnPicture>();
  #selected: PaintedLayer | null = null;

  constructor(map: OlMap, view: number) {
    this.#map = map;
    this.#view = view;
  }

  /** @param system the view's own */
  update(project: ProjectState, view: MapView, system: MapSystem): void {
    const order = drawingOrder(project.tree);
    const present = new Set<string>();
    let position = 0;
    for (const { node, visible } of order) {
      const layer = this.#leaf(node, project, system, view.shifts?.[node.id] ?? null);
      if (!layer) continue;
      present.add(node.id);
      layer.setVisible(visible && !view.hidden.includes(node.id));
      layer.setOpacity(node.opacity);
      layer.setZIndex(++position);
    }
    for (const [id, { layer, painted }] of this.#shown) {
      if (present.has(id)) continue;
      this.#map.removeLayer(layer);
      painted?.forget();
      this.#shown.delete(id);
    }
    this.#updateSelection(project, system);
    this.#updatePictures(project);
  }

  /** Takes everything off the map. */
  clear(): void {
    for (const { layer, painted } of this.#shown.values()) {
      this.#map.removeLayer(layer);
      painted?.forget();
    }
    for (const { layer } of this.#running.values()) this.#map.removeLayer(layer);
    this.#dropSelection();
    this.#map.removeLayer(this.#preview.layer);
    this.#map.removeLayer(this.#heat.layer);
    this.#shown.clear();
    this.#running.clear();
  }

  /** The topmost visible layers above the lowest one: what a swipe takes away. */
  swiped(): BaseLayer[] {
    return this.#map
      .getAllLayers()
      .filter((layer) => layer.getVisible())
      .sort((a, b) => (a.getZIndex() ?? 0) - (b.getZIndex() ?? 0))
      .slice(1);
  }

  /** @param moved by this view, metres on the ground */
  #leaf(
    node: LeafNode,
    project: ProjectState,
    system: MapSystem,
    moved: GroundShift | null,
  ): BaseLayer | null {
    const key = node.id.slice(node.id.indexOf(':') + 1);
    if (node.kind === 'layer') {
      const layer = project.layers.find(({ table }) => table === key);
      return layer ? this.#polygons(node, layer, system) : null;
    }
    const raster =
      node.kind === 'scene'
        ? project.scenes.find(({ id }) => String(id) === key)
        : project.rasters.find(({ id }) => String(id) === key);
    // Without an extent it cannot be brought into the project's system.
    if (!raster?.style || !raster.extent || ('missing' in raster && raster.missing)) return null;
    const ground = moved ?? ('display' in raster ? shiftOf(raster.display) : null);
    const centre = raster.extent && centreOf(raster.extent);
    const shift =
      ground && centre
        ? unitsOnGround(
            [ground.east, ground.north],
            inSystem(centre, mapSystem(project.system), system),
            system,
          )
        : null;
    return this.#raster(
      node,
      { kind: node.kind, id: raster.id, version: raster.version },
      raster.style,
      system,
      shift,
    );
  }

  #raster(
    node: LeafNode,
    source: { kind: 'scene' | 'raster'; id: number; version: string },
    style: RasterStyle,
    system: MapSystem,
    shift: readonly [number, number] | null,
  ): BaseLayer {
    const hidden = new Set(node.hidden ?? []);
    const drawn =
      style.kind === 'classes' && hidden.size > 0
        ? { ...style, colours: style.colours.filter(({ value }) => !hidden.has(value)) }
        : style;
    const address = rasterTileAddress(source, drawn, system.system.crs);
    const key = JSON.stringify([address, shift]);
    const before = this.#shown.get(node.id);
    const make = () => {
      const { origin, resolutions, tileSize } = system.system.grid;
      // A scene that is moved for this view lies on a grid that is moved with it; the file stays as it is.
      const tileGrid = shift
        ? new TileGrid({
            origin: [origin[0] + shift[0], origin[1] + shift[1]],
            resolutions: [...resolutions],
            tileSize,
          })
        : system.tileGrid;
      return new XYZ({
        url: address,
        projection: system.projection,
        tileGrid,
        transition: 0,
        interpolate: style.kind !== 'classes',
      });
    };
    if (before) {
      if (before.source !== key) {
        (before.layer as TileLayer<XYZ>).setSource(make());
        before.source = key;
      }
      return before.layer;
    }
    const layer = new TileLayer({ source: make(), preload: 1 });
    this.#add(node.id, { layer, source: key, painted: null });
    return layer;
  }

  #polygons(node: LeafNode, layer: ProjectLayer, system: MapSystem): BaseLayer {
    let painted = this.#shown.get(node.id)?.painted;
    if (!painted) {
      painted = new PaintedLayer();
      this.#add(node.id, { layer: painted.layer, source: '', painted });
    }
    const hidden = new Set(node.hidden ?? []);
    const { filtering } = session.get();
    const { confidence = 0, area = 0 } = (filtering?.node === node.id ? filtering : node.filter) ?? {};
    const colours = layer.classes
      .filter(({ id }) => !hidden.has(id))
      .map(({ id, colour }) => [id, colour] as const);
    const look = { colours, confidence, area, selected: null };
    painted.show(vectorTileAddress(layer, system.system.crs), system, look, JSON.stringify(look));
    return painted.layer;
  }

  #add(id: string, shown: Shown): void {
    this.#shown.set(id, shown);
    this.#map.addLayer(shown.layer);
  }

  /** Selected polygons again, outlined, from the tiles of their layer. */
  #updateSelection(project: ProjectState, system: MapSystem): void {
    const { layer: table, fids } = session.get().selection;
    const layer = fids.size > 0 ? project.layers.find((candidate) => candidate.table === table) : undefined;
    if (!layer || !this.#shown.has(`layer:${layer.table}`)) {
      this.#dropSelection();
      return;
    }
    if (!this.#selected) {
      this.#selected = new PaintedLayer();
      this.#selected.layer.setZIndex(10_000);
      this.#map.addLayer(this.#selected.layer);
    }
    const look = { colours: [], confidence: 0, area: 0, selected: fids };
    this.#selected.show(vectorTileAddress(layer, system.system.crs), system, look, fids);
  }

  #dropSelection(): void {
    if (!this.#selected) return;
    this.#map.removeLayer(this.#selected.layer);
    this.#selected.forget();
    this.#selected = null;
  }

  /** Strips of runs under way, and the preview above everything. */
  #updatePictures(project: ProjectState): void {
    const { jobs } = host.get();
    const own = mapSystem(project.system);
    for (const job of jobs) {
      const { picture } = job;
      if (!picture || job.state !== 'running' || !this.#fits(picture.crs, project)) continue;
      let drawn = this.#running.get(job.id);
      if (!drawn) {
        drawn = new DrawnPicture();
        drawn.layer.setZIndex(9000);
        drawn.layer.setOpacity(0.75);
        this.#running.set(job.id, drawn);
        this.#map.addLayer(drawn.layer);
      }
      drawn.show(picture, new Map(picture.classes.map(({ id, colour }) => [id, colour])), 0, own);
    }
    for (const [id, drawn] of this.#running) {
      if (jobs.some((job) => job.id === id && job.state === 'running')) continue;
      this.#map.removeLayer(drawn.layer);
      this.#running.delete(id);
    }
    const { preview, previewConfidence, heat } = session.get();
    if (heat && this.#fits(heat.picture.crs, project)) {
      if (!this.#map.getLayers().getArray().includes(this.#heat.layer)) {
        this.#heat.layer.setZIndex(9600);
        this.#map.addLayer(this.#heat.layer);
      }
      this.#heat.onDrawn = (address) => this.#tell('heat', address);
      this.#heat.show(heat.picture, heatTable(), 0, own);
    } else {
      this.#map.removeLayer(this.#heat.layer);
      this.#tell('heat', null);
    }
    if (!preview || !this.#fits(preview.crs, project)) {
      this.#map.removeLayer(this.#preview.layer);
      this.#tell('preview', null);
      return;
    }
    if (!this.#map.getLayers().getArray().includes(this.#preview.layer)) {
      this.#preview.layer.setZIndex(9500);
      this.#preview.layer.setOpacity(0.75);
      this.#map.addLayer(this.#preview.layer);
    }
    this.#preview.onDrawn = (address) => this.#tell('preview', address);
    const colours = new Map(preview.classes.map(({ id, colour }) => [id, colour]));
    this.#preview.show(preview, colours, previewConfidence, own);
  }

  /** Which picture stands on the map: what is asked may be ahead of it. */
  #tell(name: 'preview' | 'heat', address: string | null): void {
    const element = this.#map.getTargetElement();
    if (!element) return;
    if (address === null) delete element.dataset[name];
    else element.dataset[name] = address;
  }

  /** Pictures come in the project's system. */
  #fits(crs: string, project: ProjectState): boolean {
    return crs === project.system.crs;
  }

  get view(): number {
    return this.#view;
  }
}

function centreOf([left, bottom, right, top]: Box): [number, number] {
  return [(left + right) / 2, (bottom + top) / 2];
}

function shiftOf(display: Record<string, unknown>): GroundShift | null {
  const shift = display.shift as { east?: unknown; north?: unknown } | undefined;
  return typeof shift?.east === 'number' && typeof shift.north === 'number'
    ? { east: shift.east, north: shift.north }
    : null;
}
