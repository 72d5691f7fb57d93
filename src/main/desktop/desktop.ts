import { randomBytes } from 'node:crypto';
import { mkdir, rm } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import path from 'node:path';
import * as z from 'zod';
import { Problem } from '../../worker/report/problem.ts';
import { asProblem } from '../../worker/report/problem-record.ts';
import { differenceJob } from '../jobs/difference-job.ts';
import { encodeJob } from '../jobs/encode-job.ts';
import { exportJob } from '../jobs/export-job.ts';
import { installJob } from '../jobs/install-job.ts';
import { JobQueue, type JobRunner } from '../jobs/job-queue.ts';
import { segmentJob } from '../jobs/segment-job.ts';
import type { Home } from '../packs/home.ts';
import { UserFile } from '../packs/user-files.ts';
import { rasterFolder } from '../project/project-schema.ts';
import { ProjectStore } from '../project/project-store.ts';
import { preset } from '../rpc/prompts.ts';
import type { LivePicture } from '../rpc/runs.ts';
import type { RunPicture } from '../run/segment.ts';
import { openTileHost, type TileHost } from '../tiles/tile-host.ts';
import { type AllowedPaths, isInside } from './allowed-paths.ts';
import { DefaultStyles } from './default-styles.ts';
import { EventHub } from './event-hub.ts';
import { JobFeed } from './job-feed.ts';
import { LivePictures } from './live-pictures.ts';
import { OpenProject } from './open-project.ts';
import { OverviewBuilder } from './overviews.ts';
import { Previews } from './previews.ts';
import { Providers } from './providers.ts';
import { RasterFactsCache } from './raster-facts.ts';
import { nameOfSystem } from './systems.ts';

export interface DesktopOptions {
  door: 'electron' | 'browser';
  home: Home;
  /** What the screen may name on this machine. */
  allowed: AllowedPaths;
}

const recentList = z.array(z.object({ path: z.string(), opened: z.string() }));
const presetList = z.array(preset.omit({ origin: true }));
const mostRecent = 20;
/** How often another program's changes of the project are looked for, milliseconds. */
const watchEvery = 2000;

/** The host behind the contract: at most one open project, its jobs, and what happens to tell the screens of. */
export class Desktop {
  readonly door: DesktopOptions['door'];
  readonly home: Home;
  readonly allowed: AllowedPaths;
  readonly hub = new EventHub();
  readonly facts = new RasterFactsCache();
  readonly styles: DefaultStyles;
  readonly tiles: TileHost;
  readonly providers: Providers;
  readonly pictures = new LivePictures();
  readonly previews = new Previews(this.pictures);
  readonly recent: UserFile<typeof recentList>;
  readonly presets: UserFile<typeof presetList>;
  #project: OpenProject | null = null;
  #feed: JobFeed | null = null;
  #overviews: OverviewBuilder | null = null;
  readonly #openListeners = new Set<(file: string | null) => void>();
  #revision = 1;
  #dataVersion = 0;
  #watch: NodeJS.Timeout | null = null;
  /** Opening, closing and saving under another name happen one after the other. */
  #turn: Promise<unknown> = Promise.resolve();

  constructor({ door, home, allowed }: DesktopOptions) {
    this.door = door;
    this.home = home;
    this.allowed = allowed;
    this.recent = new UserFile(path.join(home.folder, 'recent.json'), recentList, []);
    this.presets = new UserFile(path.join(home.folder, 'presets.json'), presetList, []);
    this.providers = new Providers(home);
    this.tiles = openTileHost({
      cacheBytes: 128 << 20,
      threads: Math.max(1, Math.min(4, Math.floor(availableParallelism() / 2))),
      pyramidFolder: path.join(home.folder, 'overviews'),
    });
    this.styles = new DefaultStyles(this.tiles, () => this.changed());
  }

  get revision(): number {
    return this.#revision;
  }

  /** The open project, or null. */
  get open(): OpenProject | null {
    return this.#project;
  }

  /** The open project. Throws `project/none`. */
  get project(): OpenProject {
    if (!this.#project)
      throw new Problem('project/none', 'No project is open.', 'Open a project or a scene first.');
    return this.#project;
  }

  get store(): ProjectStore {
    return this.project.store;
  }

  /** Jobs of the open project. Throws `project/none`. */
  get jobs(): JobFeed {
    if (!this.#feed)
      throw new Problem('project/none', 'No project is open.', 'Open a project or a scene first.');
    return this.#feed;
  }

  /** Calls `listener` with the path of whatever project is open from now on, null for none. */
  onOpen(listener: (file: string | null) => void): void {
    this.#openListeners.add(listener);
  }

  /** The project has changed: screens ask again. */
  changed(): void {
    this.#revision++;
    if (this.#project) this.#dataVersion = this.#project.store.dataVersion();
    this.hub.send({ kind: 'project', revision: this.#revision });
  }

  /** Projects opened before may be opened again, wherever they lie. */
  async checkProjectPath(file: string): Promise<string> {
    const known = (await this.recent.read()).some((each) => each.path === path.resolve(file));
    if (known || this.isUntitled(path.resolve(file))) return path.resolve(file);
    return this.allowed.check(file);
  }

  openProject(file: string): Promise<void> {
    return this.#exclusively(async () => {
      const store = this.#project?.store;
      if (store && path.resolve(file) === store.path && store.access.mode === 'write') return;
      const opened = await ProjectStore.open(file);
      await this.#take(opened);
    });
  }

  createProject(file: string, overwrite: boolean): Promise<void> {
    return this.#exclusively(async () => {
      if (this.#project && path.resolve(file) === this.#project.store.path)
        throw new Problem('project/in-use', `${file}: is open now.`, 'Choose another name.');
      await this.#take(await ProjectStore.create(file, { overwrite }));
    });
  }

  /** The open project; one among the program's own files where none is open. */
  async ensureProject(): Promise<OpenProject> {
    if (!this.#project)
      await this.#exclusively(async () => {
        if (this.#project) return;
        try {
          await mkdir(this.#untitledFolder, { recursive: true });
        } catch (error) {
          throw asProblem(error);
        }
        const name = `${new Date().toISOString().slice(0, 19).replaceAll(':', '-')}-${randomBytes(2).toString('hex')}`;
        await this.#take(await ProjectStore.create(path.join(this.#untitledFolder, `Untitled ${name}.gpkg`)));
      });
    return this.project;
  }

  closeProject(): Promise<void> {
    return this.#exclusively(() => this.#leave());
  }

  /** From then on the copy is the open project; what was untitled goes. */
  saveAs(file: string, overwrite: boolean): Promise<void> {
    return this.#exclusively(async () => {
      const { store, isUntitled } = this.project;
      if (this.#feed?.isBusy())
        throw new Problem(
          'project/jobs-running',
          'Jobs of this project are running or waiting; they would stay with the old file.',
          'Wait for them or cancel them, then save under another name.',
        );
      await store.saveAs(file, { overwrite });
      const old = store.path;
      const copy = await ProjectStore.open(file);
      await this.#take(copy, { keepEmpty: true });
      if (isUntitled) await this.#discard(old);
    });
  }

  isUntitled(file: string): boolean {
    return isInside(this.#untitledFolder, file);
  }

  async close(): Promise<void> {
    await this.closeProject();
    await this.previews.close();
    await this.tiles.close();
  }

  get #untitledFolder(): string {
    return path.join(this.home.folder, 'untitled');
  }

  async #take(store: ProjectStore, { keepEmpty = false } = {}): Promise<void> {
    await this.#leave({ keepEmpty });
    const overviews = new OverviewBuilder(this.tiles, this.hub);
    this.#overviews = overviews;
    this.#project = new OpenProject(store, {
      facts: this.facts,
      defaultStyle: (facts) => this.styles.of(facts),
      isUntitled: (file) => this.isUntitled(file),
      onRaster: (...raster) => overviews.add(...raster),
    });
    const queue = new JobQueue(store, this.runners(store), {
      onProblem: (problem) => this.hub.problem(problem),
    });
    const nameOf = (table: string) =>
      store.layers().find((layer) => layer.table === table)?.identifier ?? table;
    this.#feed = new JobFeed(queue, this.hub, () => this.changed(), nameOf);
    this.changed();
    for (const listener of this.#openListeners) listener(store.path);
    for (const note of store.notes) this.hub.note('info', note);
    if (store.access.mode === 'write') queue.start();
    this.#watch = setInterval(() => this.#lookForChanges(), watchEvery);
    this.#watch.unref();
    const entry = { path: store.path, opened: new Date().toISOString() };
    await this.recent
      .change((list) => [entry, ...list.filter((each) => each.path !== entry.path)].slice(0, mostRecent))
      .catch((error: unknown) => this.hub.note('warning', asProblem(error).message));
  }

  /** What the project's jobs are done by. */
  runners(store: ProjectStore): Record<string, JobRunner> {
    return {
      segment: segmentJob(store, undefined, (job) => this.#runPicture(job)),
      export: exportJob(store),
      difference: differenceJob(store),
      encode: encodeJob(store),
      install: installJob(this.home, () => this.changed()),
    };
  }

  /** Finished strips of a job's run, drawn as they come. */
  #runPicture(job: number): RunPicture {
    const id = `job-${job}-${randomBytes(4).toString('hex')}`;
    let about: Pick<LivePicture, 'crs' | 'transform' | 'classes'> | null = null;
    return {
      longestSide: 2048,
      begin: ({ width, height, transform, crs }, classes) => {
        const pixels = width * height;
        this.pictures.set(id, {
          width,
          height,
          classes: new Uint8Array(pixels),
          confidence: new Uint8Array(pixels),
        });
        about = {
          crs: nameOfSystem(crs, this.open?.crs() ?? null),
          transform: [...transform],
          classes: classes.map((entry) => ({ id: entry.id, name: entry.name, colour: entry.colour })),
        };
      },
      add: (part) => {
        if (!about || !this.pictures.add(id, part)) return;
        this.#feed?.showPicture(job, this.pictures.describe(id, about));
      },
    };
  }

  async #leave({ keepEmpty = false } = {}): Promise<void> {
    const project = this.#project;
    if (!project) return;
    if (this.#watch) clearInterval(this.#watch);
    await this.#feed?.close();
    await this.#overviews?.close();
    const { store } = project;
    const empty =
      project.isUntitled &&
      store.access.mode === 'write' &&
      store.scenes().length === 0 &&
      store.layers().length === 0 &&
      store.nextSteps().undo === null;
    this.#project = null;
    for (const listener of this.#openListeners) listener(null);
    this.#feed = null;
    await this.tiles.forget(store.path);
    store.close();
    if (empty && !keepEmpty) await this.#discard(store.path);
    this.changed();
  }

  /** An untitled project that holds nothing, or has been saved elsewhere. */
  async #discard(file: string): Promise<void> {
    await rm(file, { force: true });
    await rm(rasterFolder(file), { recursive: true, force: true });
    await this.recent.change((list) => list.filter((each) => each.path !== file)).catch(() => {});
  }

  #lookForChanges(): void {
    try {
      if (this.#project && this.#project.store.dataVersion() !== this.#dataVersion) this.changed();
    } catch {
      // Busy just now: the next look tells.
    }
  }

  #exclusively<Result>(work: () => Promise<Result>): Promise<Result> {
    const turn = this.#turn.then(work);
    this.#turn = turn.catch(() => {});
    return turn;
  }
}
