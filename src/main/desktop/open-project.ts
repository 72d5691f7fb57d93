import { existsSync } from 'node:fs';
import path from 'node:path';
import * as z from 'zod';
import { type Crs, findEpsg } from '../../worker/raster/crs.ts';
import { Problem } from '../../worker/report/problem.ts';
import { asProblem } from '../../worker/report/problem-record.ts';
import type { Json, ProjectScene as StoredScene } from '../project/project-records.ts';
import type { ProjectStore } from '../project/project-store.ts';
import { crsOf, storedCrs, storedForm } from '../project/stored-crs.ts';
import type { Box } from '../rpc/base.ts';
import { layerClass } from '../rpc/layers.ts';
import {
  type MissingFile,
  type ProjectLayer,
  type ProjectRaster,
  type ProjectScene,
  type ProjectState,
  type TreeNode,
  treeNode,
} from '../rpc/project.ts';
import { type RasterStyle, rasterStyle } from '../rpc/scenes.ts';
import { between, projectBox, projectGrid } from './coordinates.ts';
import { composeTree } from './layer-tree.ts';
import type { RasterFacts, RasterFactsCache } from './raster-facts.ts';
import { sceneInfoOf } from './raster-facts.ts';
import { describeSystem, nameOfSystem } from './systems.ts';

/** Settings of the screen lie beside the host's own under this prefix. */
const screenPrefix = 'screen/';
export const crsSetting = 'crs';
const treeSetting = 'tree';

/** What the host keeps in a scene's `display`, beside what the screen keeps there. */
const hostDisplay = z.object({
  style: rasterStyle.optional().catch(undefined),
  crs: storedCrs.optional().catch(undefined),
  /** What the user takes the scene for. */
  modality: z.enum(['optical', 'sar']).optional().catch(undefined),
  radar: z.record(z.string(), z.json()).optional().catch(undefined),
  screen: z.record(z.string(), z.json()).optional().catch(undefined),
});
export type HostDisplay = z.output<typeof hostDisplay>;

export interface ProjectSurroundings {
  facts: RasterFactsCache;
  /** Styles to begin with, made in the background; null until there is one. */
  defaultStyle(facts: RasterFacts): RasterStyle | null;
  isUntitled(path: string): boolean;
  /** A raster that is shown: its overviews may be missing. */
  onRaster(path: string, version: string, reduction: 'average' | 'mode', sceneId: number | null): void;
}

/** A run's request as the segment job keeps it, as far as the screen shows it. */
const runRequest = z.object({
  layer: z.string().optional(),
  settings: z.object({ classes: z.array(layerClass).optional() }).optional(),
  name: z.string().optional(),
  classes: z.array(layerClass).optional(),
});

export interface SceneFacts extends RasterFacts {
  asCrs: Crs | null;
  /** What the user takes the scene for; null: what it says of itself. */
  asModality: 'optical' | 'sar' | null;
  /** Fields of the radar recipe that the user has changed. */
  radar: z.output<typeof hostDisplay>['radar'] | null;
}

/** What a difference job leaves. */
const differenceSummary = z.object({
  areaUnit: z.enum(['m²', 'pixels']),
  outside: z.int(),
  legend: z.array(z.object({ id: z.int(), name: z.string(), area: z.number() })),
});

/** The project that is open, as the contract tells it. */
export class OpenProject {
  readonly store: ProjectStore;
  readonly #around: ProjectSurroundings;

  constructor(store: ProjectStore, around: ProjectSurroundings) {
    this.store = store;
    this.#around = around;
  }

  get isUntitled(): boolean {
    return this.#around.isUntitled(this.store.path);
  }

  /** The project's system; null: pixels. */
  crs(): Crs | null {
    return crsOf(this.store.setting(crsSetting));
  }

  hasCrs(): boolean {
    return this.store.setting(crsSetting) !== null;
  }

  saveCrs(crs: Crs | null): void {
    this.store.saveSetting(crsSetting, storedForm(crs), 'Change reference system');
  }

  scene(id: number): StoredScene {
    const scene = this.store.scenes().find((each) => each.id === id);
    if (!scene)
      throw new Problem(
        'project/no-such-row',
        `There is no scene ${id} in this project.`,
        'Reload the project.',
      );
    return scene;
  }

  /** What tiles of a scene are drawn from. */
  rasterOfScene(id: number): { path: string; assigned?: Crs | null } {
    const scene = this.scene(id);
    const { crs } = displayOf(scene);
    return { path: scene.path, ...(crs !== undefined && { assigned: crsOf(crs) }) };
  }

  rasterOfRun(id: number): { path: string } {
    const raster = this.store
      .runs()
      .flatMap((run) => run.rasters)
      .find((each) => each.id === id);
    if (!raster)
      throw new Problem(
        'project/no-such-row',
        `There is no raster ${id} in this project.`,
        'Reload the project.',
      );
    return { path: raster.path };
  }

  /** The scene's header, the system it is taken to be in, and what it is taken for. */
  async sceneFacts(scene: StoredScene): Promise<SceneFacts> {
    const facts = await this.#around.facts.get(scene.path);
    const { crs, modality = null, radar = null } = displayOf(scene);
    return {
      ...facts,
      info: { ...facts.info, modality: modality ?? facts.info.modality },
      asCrs: crs === undefined ? facts.crs : crsOf(crs),
      asModality: modality,
      radar,
    };
  }

  saveScene(id: number, values: { name?: string | undefined; host?: HostDisplay }, label: string): void {
    const { name, host } = values;
    this.store.changeScene(
      id,
      {
        ...(name !== undefined && { name }),
        ...(host && { display: JSON.parse(JSON.stringify(host)) as Json }),
      },
      label,
    );
  }

  saveTree(tree: TreeNode[], label: string): void {
    this.store.saveSetting(treeSetting, JSON.parse(JSON.stringify({ tree })) as Json, label);
  }

  saveScreenSetting(key: string, value: z.output<ReturnType<typeof z.json>>, label: string): void {
    this.store.saveSetting(screenPrefix + key, { value }, label);
  }

  /** All that the contract tells of the project. */
  async state(revision: number): Promise<ProjectState> {
    const { store } = this;
    const crs = this.crs();
    const systemName = crs === null ? 'PIXELS' : projectName(crs);
    const [scenes, rasters, missing] = await Promise.all([
      Promise.all(store.scenes().map((scene) => this.#scene(scene, crs))),
      this.#rasters(crs),
      this.#missing(),
    ]);
    const layers = this.#layers(crs);
    const settings = store.settings();
    const stored = z.object({ tree: z.array(treeNode) }).safeParse(settings[treeSetting]);
    const { undo, redo } = store.nextSteps();
    return {
      path: store.path,
      name: this.isUntitled ? 'Untitled' : path.basename(store.path).replace(/\.gpkg$/i, ''),
      untitled: this.isUntitled,
      access: store.access.mode,
      notes: [...store.notes, ...(store.access.mode === 'read' ? [store.access.reason] : [])],
      system: describeSystem(crs, systemName),
      scenes,
      layers,
      rasters,
      tree: composeTree(stored.success ? stored.data.tree : [], {
        layers: layers.map(({ table }) => `layer:${table}`),
        rasters: rasters.map(({ id }) => `raster:${id}`),
        scenes: scenes.map(({ id }) => `scene:${id}`),
        shown: new Set(rasters.flatMap(({ id, kind }) => (kind === 'difference' ? [`raster:${id}`] : []))),
      }),
      prompts: store.prompts(),
      views: store.views(),
      missing,
      undo: undo?.label ?? null,
      redo: redo?.label ?? null,
      settings: Object.fromEntries(
        Object.entries(settings)
          .filter(([key]) => key.startsWith(screenPrefix))
          .map(([key, value]) => [key.slice(screenPrefix.length), value.value ?? null]),
      ),
      revision,
    };
  }

  async #scene(scene: StoredScene, crs: Crs | null): Promise<ProjectScene> {
    const { id, name, path: file } = scene;
    const display = displayOf(scene);
    const common = {
      id,
      name,
      path: file,
      display: display.screen ?? {},
      modality: display.modality ?? null,
      radar: display.radar ?? null,
    };
    try {
      const facts = await this.sceneFacts(scene);
      this.#around.onRaster(file, facts.version, 'average', id);
      const project = between(facts.asCrs, crs);
      return {
        ...common,
        info: sceneInfoOf(facts, facts.asCrs, crs),
        problem: project === null ? notInSystem(facts.asCrs) : null,
        style: display.style ?? this.#around.defaultStyle(facts),
        extent: project && projectGrid(facts, project),
        version: `${facts.version}${facts.asCrs?.epsg ?? ''}`,
      };
    } catch (error) {
      const { message, hint } = asProblem(error);
      return {
        ...common,
        info: null,
        problem: `${message} ${hint}`.trim(),
        style: display.style ?? null,
        extent: null,
        version: 'missing',
      };
    }
  }

  #layers(crs: Crs | null): ProjectLayer[] {
    const runs = this.store.runs();
    return this.store.layers().flatMap((layer): ProjectLayer[] => {
      const provenance = this.store.polygons.provenance(layer.table);
      if (!provenance) return [];
      const own = this.store.polygons.crs(layer.table);
      const project = between(own, crs);
      const classes = z.array(layerClass).safeParse(provenance.classes);
      return [
        {
          table: layer.table,
          name: layer.identifier,
          crs: nameOfSystem(own, crs),
          extent: project && layer.extent && projectBox(layer.extent, project),
          features: layer.features ?? 0,
          classes: classes.success ? classes.data : [],
          provenance,
          runId: runs.find((run) => run.layer === layer.table)?.id ?? null,
          version: layer.lastChange,
        },
      ];
    });
  }

  async #rasters(crs: Crs | null): Promise<ProjectRaster[]> {
    const rasters = this.store.runs().flatMap((run) => run.rasters.map((raster) => ({ run, raster })));
    const described = await Promise.all(
      rasters.map(async ({ run, raster }): Promise<ProjectRaster | null> => {
        if (raster.kind === 'overviews') return null;
        const request = runRequest.safeParse(run.request).data;
        const classes = request?.settings?.classes ?? request?.classes ?? [];
        const title = request?.layer ?? request?.name ?? run.layer ?? `run ${run.id}`;
        const facts = await this.#around.facts.get(raster.path).catch(() => null);
        if (facts)
          this.#around.onRaster(
            raster.path,
            facts.version,
            raster.kind === 'confidence' ? 'average' : 'mode',
            null,
          );
        const project = facts && between(facts.crs, crs);
        return {
          id: raster.id,
          runId: run.id,
          kind: raster.kind,
          name: raster.kind === 'difference' ? title : `${title}: ${names[raster.kind]}`,
          path: raster.path,
          crs: facts ? nameOfSystem(facts.crs, crs) : 'OTHER',
          extent: (facts && project && projectGrid(facts, project)) as Box | null,
          style: raster.kind === 'confidence' ? confidenceStyle : classStyle(classes),
          classes: raster.kind === 'confidence' ? [] : classes,
          missing: facts === null,
          version: facts?.version ?? 'missing',
          areas: raster.kind === 'difference' ? areasOf(run.summary) : null,
        };
      }),
    );
    return described.filter((raster) => raster !== null);
  }

  async #missing(): Promise<MissingFile[]> {
    const gone = this.store.scenes().some((scene) => !existsSync(scene.path));
    const goneRasters = this.store
      .runs()
      .some((run) => run.rasters.some((raster) => !existsSync(raster.path)));
    if (!gone && !goneRasters) return [];
    return (await this.store.missingFiles()).map(({ kind, id, name, path: file, suggestions }) => ({
      kind,
      id,
      name,
      path: file,
      found: suggestions[0]?.path ?? null,
    }));
  }
}

function areasOf(summary: Json): ProjectRaster['areas'] {
  const { success, data } = differenceSummary.safeParse(summary);
  return success ? { unit: data.areaUnit, rows: data.legend, outside: data.outside } : null;
}

const names = { 'class-map': 'class map', confidence: 'confidence' } as const;

/** Confidence is stored as 0-255. */
const confidenceStyle: RasterStyle = {
  kind: 'imagery',
  bands: [0, 0, 0],
  stretch: [
    { low: 0, high: 255 },
    { low: 0, high: 255 },
    { low: 0, high: 255 },
  ],
  gamma: 1,
};

function classStyle(classes: readonly { id: number; colour: string }[]): RasterStyle {
  return {
    kind: 'classes',
    band: 0,
    colours: classes.map(({ id, colour }) => ({ value: id, colour })),
  };
}

/** Why a scene is not on the map. */
function notInSystem(own: Crs | null): string {
  return own === null
    ? 'The scene has no reference system, and the project has one: it cannot be placed. Assign one in the Scene panel.'
    : 'The scene cannot be brought into the project’s system. Choose another one for the project.';
}

export function displayOf(scene: StoredScene): HostDisplay {
  return hostDisplay.parse(scene.display);
}

function projectName(crs: Crs): string {
  return crs.epsg !== null && findEpsg(crs.epsg) !== null ? `EPSG:${crs.epsg}` : 'PROJECT';
}
