import { defaults as defaultControls } from 'ol/control/defaults.js';
import DragPan from 'ol/interaction/DragPan.js';
import { defaults as defaultInteractions } from 'ol/interaction/defaults.js';
import OlMap from 'ol/Map.js';
import type MapBrowserEvent from 'ol/MapBrowserEvent.js';
import Overlay from 'ol/Overlay.js';
import type RenderEvent from 'ol/render/Event.js';
import View from 'ol/View.js';
import { useEffect, useRef, useState } from 'react';
import { host } from '../state/project.ts';
import { type MapView, session } from '../state/session.ts';
import { useText } from '../texts/use-text.ts';
import { fullExtent } from './actions.ts';
import { LayerStack } from './layer-stack.ts';
import { pansAlways } from './panning.ts';
import { PixelScaleLine } from './pixel-scale-line.ts';
import { boxInSystem, inSystem, type MapSystem, mapSystem, systemNamed, unitRatio } from './projection.ts';
import { type OpenMap, openMaps } from './registry.ts';
import { MapTools } from './tools.ts';
import 'ol/ol.css';

/** Pans with the middle button, or with any button while the space bar is down. */
function panning(event: MapBrowserEvent): boolean {
  return pansAlways(event) || session.get().tool === 'pan';
}

/** Places kept for zoom last. */
const longestPast = 50;

/** One map view of the project. */
export function MapPanel({ view: id }: { view: number }) {
  const element = useRef<HTMLDivElement>(null);
  const cross = useRef<HTMLDivElement>(null);
  const text = useText();
  const [turned, setTurned] = useState(0);
  const swipe = session.use((value) => value.swipe);
  const several = session.use((value) => value.views.length > 1);
  const active = session.use((value) => value.activeView === id && value.views.length > 1);
  const empty = host.use(
    (value) => !value.project || (value.project.scenes.length === 0 && value.project.layers.length === 0),
  );

  useEffect(() => mountMap(id, element.current!, cross.current!, setTurned), [id]);

  return (
    <div
      className={`map-panel${active ? ' active' : ''}`}
      onPointerDownCapture={() => session.set({ activeView: id })}
      onFocusCapture={() => session.set({ activeView: id })}
    >
      <section
        ref={element}
        className="map-canvas"
        aria-label={text('map.label', { view: id })}
        tabIndex={0}
      />
      <div ref={cross} className="map-cross" aria-hidden="true" />
      {several && (
        <div className="map-number" aria-hidden="true">
          {id}
        </div>
      )}
      <button
        type="button"
        className="map-north"
        title={text('map.north')}
        aria-label={text('map.north')}
        onClick={() => openMaps.get(id)?.map.getView().setRotation(0)}
      >
        <svg
          viewBox="0 0 20 20"
          width="22"
          height="22"
          style={{ transform: `rotate(${turned}rad)` }}
          aria-hidden="true"
        >
          <path d="M10 1 L14 17 L10 14 L6 17 Z" fill="currentColor" />
        </svg>
      </button>
      {empty && (
        <div className="map-empty">
          <p>{text('map.empty')}</p>
          <p className="quiet">{text('map.emptyHint')}</p>
        </div>
      )}
      {swipe !== null && (
        <input
          className="map-swipe"
          type="range"
          min={0}
          max={1000}
          value={Math.round(swipe * 1000)}
          aria-label={text('map.swipe')}
          onChange={(event) => session.set({ swipe: Number(event.target.value) / 1000 })}
          style={{ '--swipe': `${swipe * 100}%` } as React.CSSProperties}
        />
      )}
    </div>
  );
}

/** Puts a map into `element`; returns how to take it away. */
function mountMap(
  id: number,
  element: HTMLElement,
  cross: HTMLElement,
  onTurn: (radians: number) => void,
): () => void {
  const map = new OlMap({
    target: element,
    controls: defaultControls({ attribution: false, zoom: false, rotate: false }).extend([
      new PixelScaleLine({ units: 'metric', minWidth: 90 }),
    ]),
    interactions: defaultInteractions({ dragPan: false, doubleClickZoom: false }).extend([
      new DragPan({ condition: panning }),
    ]),
    pixelRatio: window.devicePixelRatio,
    maxTilesLoading: 24,
  });
  const popup = new Overlay({
    element: document.createElement('div'),
    positioning: 'bottom-center',
    offset: [0, -10],
    stopEvent: true,
  });
  popup.getElement()!.className = 'map-popup';
  map.addOverlay(popup);
  const stack = new LayerStack(map, id);
  let system: MapSystem | null = null;
  let closed = false;
  /** Whether the view moves because another one did, or because the session says so. */
  let following = false;

  const open: OpenMap = {
    map,
    stack,
    system: () => system ?? mapSystem(host.get().project!.system),
    past: [],
    future: [],
    stepped: null,
    cancelTool: () => tools.cancel(),
  };
  const tools = new MapTools(map, popup, () => open.system());

  const ownView = () => session.get().views.find((view) => view.id === id);

  /** `stays`: the same project in another system, looked at where it was. */
  function startView(next: MapSystem, stays: boolean): void {
    const { project } = host.get();
    const kept = ownView();
    const before = map.getView();
    const centre = before.getCenter() as [number, number] | undefined;
    const from = stays ? system : null;
    const { resolutions } = next.system.grid;
    const view = new View({
      projection: next.projection,
      constrainResolution: false,
      minResolution: resolutions.at(-1)! / 4,
      maxResolution: resolutions[0]! * 4,
      showFullExtent: true,
      smoothExtentConstraint: false,
      multiWorld: true,
    });
    system = next;
    if (from && centre) {
      view.setCenter(inSystem(centre, from, next));
      view.setResolution(before.getResolution()! * unitRatio(centre, from, next));
      view.setRotation(before.getRotation());
    } else if (kept && kept.resolution > 0 && !kept.crs) {
      view.setCenter([...kept.centre]);
      view.setResolution(kept.resolution);
      view.setRotation(kept.rotation);
    } else {
      const box = project && fullExtent(project);
      view.fit(box ? boxInSystem(box, mapSystem(project.system), next) : [0, 0, 1, 1], {
        size: map.getSize() ?? [800, 600],
        padding: [24, 24, 24, 24],
      });
    }
    view.on(['change:center', 'change:resolution', 'change:rotation'] as never[], () => {
      onTurn(view.getRotation());
      if (!following) publish();
    });
    map.setView(view);
    publish();
  }

  /** Where the map looks, for people and programs that read the page instead of the picture. */
  function describe(): void {
    const view = map.getView();
    const centre = view.getCenter();
    if (!centre) return;
    element.dataset.centre = centre.join(' ');
    element.dataset.resolution = String(view.getResolution());
  }

  /** Tells the session, and with it the linked views, where this one looks. */
  function publish(): void {
    describe();
    const view = map.getView();
    const centre = view.getCenter() as [number, number] | undefined;
    const resolution = view.getResolution();
    if (!centre || !resolution || !system) return;
    const from = system;
    session.set(({ views, linked }) => ({
      views: views.map((other): MapView => {
        if (other.id === id) return { ...other, centre, resolution, rotation: view.getRotation() };
        const peer = openMaps.get(other.id);
        if (!linked || !peer) return other;
        const to = peer.system();
        return {
          ...other,
          centre: inSystem(centre, from, to),
          resolution: resolution * unitRatio(centre, from, to),
          rotation: view.getRotation(),
        };
      }),
    }));
  }

  /** The project that is on the map, and what is in it: saved elsewhere it is the same, opened it is another. */
  let shown: { path: string; content: string } | null = null;
  async function update(): Promise<void> {
    const { project } = host.get();
    const own = ownView();
    if (!own || closed) return;
    if (!project) {
      if (shown) stack.clear();
      shown = null;
      return;
    }
    const next = own.crs ? await systemNamed(own.crs) : mapSystem(project.system);
    if (closed || ownView()?.crs !== own.crs || host.get().project !== project) return;
    if (project.scenes.length + project.layers.length + project.rasters.length === 0) {
      if (shown) stack.clear();
      shown = null;
      system = next;
      return;
    }
    const content = JSON.stringify([
      project.scenes.map((scene) => scene.path),
      project.layers.map(({ table }) => table),
    ]);
    const same = shown !== null && (shown.path === project.path || shown.content === content);
    const first = shown === null && !started;
    shown = { path: project.path, content };
    if (!same && !first)
      session.set(({ views }) => ({
        views: views.map((view) => (view.id === id ? { ...view, resolution: 0 } : view)),
      }));
    if (!same || system !== next) {
      started = true;
      startView(next, same);
    }
    // What was hidden or moved are other layers now. Told last: whoever is told looks at the view as it is then.
    if (!same && !first)
      session.set(({ views }) => ({
        views: views.map((view) => (view.id === id ? { ...view, hidden: [], shifts: {} } : view)),
      }));
    const now = ownView();
    if (!now) return;
    stack.update(project, now, next);
    tools.showExtent();
    follow(now);
  }
  let started = false;

  function follow(own: MapView): void {
    const view = map.getView();
    const centre = view.getCenter();
    if (!centre || own.resolution === 0) return;
    const here = view.getResolution()!;
    const apart = Math.hypot(centre[0]! - own.centre[0], centre[1]! - own.centre[1]);
    if (
      apart < here * 1e-6 &&
      Math.abs(here / own.resolution - 1) < 1e-9 &&
      view.getRotation() === own.rotation
    )
      return;
    following = true;
    view.setCenter([...own.centre]);
    view.setResolution(own.resolution);
    view.setRotation(own.rotation);
    following = false;
    describe();
  }

  map.on('movestart', (event) => {
    // Told in the frame after the first step: where the map was is in the frame before.
    const before = event.frameState?.viewState;
    const view = map.getView();
    const { stepped } = open;
    const centre = view.getCenter();
    if (!before || !centre) return;
    if (
      stepped &&
      stepped.resolution === view.getResolution() &&
      stepped.centre.every((x, i) => x === centre[i])
    )
      return;
    open.past.push({ centre: before.center as [number, number], resolution: before.resolution });
    if (open.past.length > longestPast) open.past.shift();
    open.future.length = 0;
  });
  map.on('pointermove', (event) => {
    const { project } = host.get();
    if (!project || !system) return;
    session.set({
      pointer: inSystem(event.coordinate as [number, number], system, mapSystem(project.system)),
    });
  });
  /** Whether the pointer is in this view, and not in another. */
  let pointed = false;
  const enter = () => {
    pointed = true;
  };
  const leave = () => {
    pointed = false;
    session.set({ pointer: null });
  };
  const menu = (event: MouseEvent) => {
    event.preventDefault();
    const { pointer } = session.get();
    if (pointer) void navigator.clipboard?.writeText(`${pointer[0]}, ${pointer[1]}`).catch(() => {});
  };
  element.addEventListener('pointerenter', enter);
  element.addEventListener('pointerleave', leave);
  element.addEventListener('contextmenu', menu);

  /** Crosshair of the pointer in the other views, and swiping. */
  function drawPointer(): void {
    const { pointer, views } = session.get();
    const { project } = host.get();
    const show = pointer && project && system && views.length > 1 && !pointed;
    const at = show
      ? map.getPixelFromCoordinate(inSystem(pointer, mapSystem(project.system), system!))
      : null;
    cross.style.display = at ? 'block' : 'none';
    if (at) cross.style.transform = `translate(${at[0]}px, ${at[1]}px)`;
  }
  const clipped = new Set<unknown>();
  const before = (event: RenderEvent) => {
    const { swipe } = session.get();
    const context = event.context as CanvasRenderingContext2D | null;
    if (swipe === null || !context || !('save' in context)) return;
    context.save();
    context.beginPath();
    const ratio = event.frameState!.pixelRatio;
    const [width, height] = event.frameState!.size;
    context.rect(0, 0, width! * swipe * ratio, height! * ratio);
    context.clip();
  };
  const after = (event: RenderEvent) => {
    const context = event.context as CanvasRenderingContext2D | null;
    if (session.get().swipe !== null && context && 'restore' in context) context.restore();
  };
  function updateSwipe(): void {
    const layers = session.get().swipe === null ? [] : stack.swiped();
    for (const layer of map.getAllLayers()) {
      const should = layers.includes(layer);
      if (should === clipped.has(layer)) continue;
      if (should) {
        clipped.add(layer);
        layer.on('prerender', before);
        layer.on('postrender', after);
      } else {
        clipped.delete(layer);
        layer.un('prerender', before);
        layer.un('postrender', after);
      }
    }
    map.render();
  }

  let tool = session.get().tool;
  let drawn: unknown[] = [];
  const stops = [
    host.subscribe(() => void update().then(updateSwipe)),
    session.subscribe(() => {
      // The pointer and the place change with every frame; the layers depend on neither.
      const own = ownView();
      const { selection, filtering, preview, previewConfidence, heat, extent } = session.get();
      const parts = [
        own?.crs,
        own?.hidden,
        own?.shifts,
        selection,
        filtering,
        preview,
        previewConfidence,
        heat,
        extent,
      ];
      if (parts.some((part, index) => part !== drawn[index])) {
        drawn = parts;
        void update().then(updateSwipe);
      } else if (own && shown) follow(own);
      drawPointer();
      if (session.get().tool !== tool) {
        tool = session.get().tool;
        tools.start(tool);
      }
      if (session.get().swipe !== null || clipped.size > 0) updateSwipe();
    }),
  ];
  const resize = new ResizeObserver(() => map.updateSize());
  resize.observe(element);
  openMaps.set(id, open);
  tools.start(tool);
  void update();

  return () => {
    closed = true;
    for (const stop of stops) stop();
    resize.disconnect();
    element.removeEventListener('pointerenter', enter);
    element.removeEventListener('pointerleave', leave);
    element.removeEventListener('contextmenu', menu);
    openMaps.delete(id);
    tools.cancel();
    map.setTarget(undefined);
    map.dispose();
  };
}
