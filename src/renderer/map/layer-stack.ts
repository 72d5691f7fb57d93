import type Feature from 'ol/Feature.js';
import MVT from 'ol/format/MVT.js';
import type BaseLayer from 'ol/layer/Base.js';
import TileLayer from 'ol/layer/Tile.js';
import VectorTileLayer from 'ol/layer/VectorTile.js';
import type OlMap from 'ol/Map.js';
import type RenderFeature from 'ol/render/Feature.js';
import VectorTileSource from 'ol/source/VectorTile.js';
import XYZ from 'ol/source/XYZ.js';
import Fill from 'ol/style/Fill.js';
import Stroke from 'ol/style/Stroke.js';
import Style from 'ol/style/Style.js';
import TileGrid from 'ol/tilegrid/TileGrid.js';
import { rasterTileAddress, vectorTileAddress } from '../../main/rpc/addresses.ts';
import type { ProjectLayer, ProjectState, TreeNode } from '../../main/rpc/project.ts';
import type { RasterStyle } from '../../main/rpc/scenes.ts';
import { host } from '../state/project.ts';
import { type MapView, session } from '../state/session.ts';
import { DrawnPicture } from './drawn-picture.ts';
import { type MapSystem, mapSystem } from './projection.ts';

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

interface Shown {
  layer: BaseLayer;
  /** What the source depends on: another one means another source. */
  source: string;
  /** What the style depends on. */
  style: string;
}

/** The layers of one map view, kept in step with the project and the session. */
export class LayerStack {
  readonly #map: OlMap;
  readonly #view: number;
  readonly #shown = new Map<string, Shown>();
  readonly #preview = new DrawnPicture();
  readonly #running = new Map<number, DrawnPicture>();
  #selected: { key: string; layer: VectorTileLayer; fids: ReadonlySet<number> | null } | null = null;

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
      const layer = this.#leaf(node, project, system);
      if (!layer) continue;
      present.add(node.id);
      layer.setVisible(visible && !view.hidden.includes(node.id));
      layer.setOpacity(node.opacity);
      layer.setZIndex(++position);
    }
    for (const [id, { layer }] of this.#shown) {
      if (present.has(id)) continue;
      this.#map.removeLayer(layer);
      this.#shown.delete(id);
    }
    this.#updateSelection(project, system);
    this.#updatePictures(project);
  }

  /** Takes everything off the map. */
  clear(): void {
    for (const { layer } of this.#shown.values()) this.#map.removeLayer(layer);
    for (const { layer } of this.#running.values()) this.#map.removeLayer(layer);
    if (this.#selected) this.#map.removeLayer(this.#selected.layer);
    this.#map.removeLayer(this.#preview.layer);
    this.#shown.clear();
    this.#running.clear();
    this.#selected = null;
  }

  /** The topmost visible layers above the lowest one: what a swipe takes away. */
  swiped(): BaseLayer[] {
    return this.#map
      .getAllLayers()
      .filter((layer) => layer.getVisible())
      .sort((a, b) => (a.getZIndex() ?? 0) - (b.getZIndex() ?? 0))
      .slice(1);
  }

  #leaf(node: LeafNode, project: ProjectState, system: MapSystem): BaseLayer | null {
    const key = node.id.slice(node.id.indexOf(':') + 1);
    if (node.kind === 'layer') {
      const layer = project.layers.find(({ table }) => table === key);
      return layer ? this.#polygons(node, layer, system) : null;
    }
    const raster =
      node.kind === 'scene'
        ? project.scenes.find(({ id }) => String(id) === key)
        : project.rasters.find(({ id }) => String(id) === key);
    if (!raster?.style || ('missing' in raster && raster.missing)) return null;
    const shift = 'display' in raster ? shiftOf(raster.display) : null;
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
    shift: { east: number; north: number } | null,
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
            origin: [origin[0] + shift.east, origin[1] + shift.north],
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
    this.#add(node.id, { layer, source: key, style: '' });
    return layer;
  }

  #polygons(node: LeafNode, layer: ProjectLayer, system: MapSystem): BaseLayer {
    const address = vectorTileAddress(layer, system.system.crs);
    const style = JSON.stringify([layer.classes, node.filter, node.hidden]);
    let shown = this.#shown.get(node.id);
    if (!shown) {
      const made = new VectorTileLayer({
        renderMode: 'hybrid',
        renderBuffer: 8,
        declutter: false,
        updateWhileAnimating: true,
        updateWhileInteracting: true,
      });
      shown = { layer: made, source: '', style: '' };
      this.#add(node.id, shown);
    }
    const target = shown.layer as VectorTileLayer;
    if (shown.source !== address) {
      target.setSource(
        new VectorTileSource({
          url: address,
          format: new MVT(),
          projection: system.projection,
          tileGrid: system.tileGrid,
          transition: 0,
        }),
      );
      shown.source = address;
    }
    if (shown.style !== style) {
      target.setStyle(polygonStyle(layer, node));
      shown.style = style;
    }
    return target;
  }

  #add(id: string, shown: Shown): void {
    this.#shown.set(id, shown);
    this.#map.addLayer(shown.layer);
  }

  /** Selected polygons again, outlined, from the tiles of their layer. */
  #updateSelection(project: ProjectState, system: MapSystem): void {
    const { layer: table, fids } = session.get().selection;
    const layer = fids.size > 0 ? project.layers.find((candidate) => candidate.table === table) : undefined;
    const base = layer && this.#shown.get(`layer:${layer.table}`);
    if (!layer || !base) {
      if (this.#selected) this.#map.removeLayer(this.#selected.layer);
      this.#selected = null;
      return;
    }
    const key = `${layer.table} ${layer.version} ${system.system.crs}`;
    if (this.#selected?.key !== key) {
      if (this.#selected) this.#map.removeLayer(this.#selected.layer);
      const source = (base.layer as VectorTileLayer).getSource()!;
      const made = new VectorTileLayer({ source, renderMode: 'vector', zIndex: 10_000 });
      this.#selected = { key, layer: made, fids: null };
      this.#map.addLayer(made);
    }
    if (this.#selected.fids === fids) return;
    this.#selected.fids = fids;
    const outline = new Style({
      stroke: new Stroke({ color: '#ffd400', width: 2.5 }),
      fill: new Fill({ color: 'rgba(255, 212, 0, 0.25)' }),
    });
    this.#selected.layer.setStyle((feature) => (fids.has(Number(feature.getId())) ? outline : undefined));
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
    const { preview, previewConfidence } = session.get();
    if (!preview || !this.#fits(preview.crs, project)) {
      this.#map.removeLayer(this.#preview.layer);
      return;
    }
    if (!this.#map.getLayers().getArray().includes(this.#preview.layer)) {
      this.#preview.layer.setZIndex(9500);
      this.#preview.layer.setOpacity(0.75);
      this.#map.addLayer(this.#preview.layer);
    }
    const colours = new Map(preview.classes.map(({ id, colour }) => [id, colour]));
    this.#preview.show(preview, colours, previewConfidence, own);
  }

  /** Pictures come in the project's system. */
  #fits(crs: string, project: ProjectState): boolean {
    return crs === project.system.crs;
  }

  get view(): number {
    return this.#view;
  }
}

function shiftOf(display: Record<string, unknown>): { east: number; north: number } | null {
  const shift = display.shift as { east?: unknown; north?: unknown } | undefined;
  return typeof shift?.east === 'number' && typeof shift.north === 'number'
    ? { east: shift.east, north: shift.north }
    : null;
}

/** Class colours, with what filter and legend hide left out. */
function polygonStyle(layer: ProjectLayer, node: LeafNode) {
  const hidden = new Set(node.hidden ?? []);
  const styles = new Map(
    layer.classes
      .filter(({ id }) => !hidden.has(id))
      .map(({ id, colour }) => [
        id,
        new Style({
          fill: new Fill({ color: `${colour}b3` }),
          stroke: new Stroke({ color: colour, width: 1 }),
        }),
      ]),
  );
  const { confidence = 0, area = 0 } = node.filter ?? {};
  return (feature: Feature | RenderFeature) =>
    (feature.get('confidence') as number) >= confidence && (feature.get('area') as number) >= area
      ? styles.get(feature.get('class') as number)
      : undefined;
}
