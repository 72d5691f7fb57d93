import { createHash } from 'node:crypto';
import { stat } from 'node:fs/promises';
import path from 'node:path';
import type { Affine } from '../../worker/raster/affine.ts';
import type { Crs } from '../../worker/raster/crs.ts';
import { coveredBox } from '../../worker/raster/extent.ts';
import type { GroundControl } from '../../worker/raster/ground-control.ts';
import { filesOfScene } from '../../worker/scene/band-stack.ts';
import { openScene } from '../../worker/scene/open-scene.ts';
import type { BandHeader } from '../../worker/scene/scene.ts';
import { describeHeader } from '../../worker/steps/info.ts';
import type { SceneInfo } from '../rpc/scenes.ts';
import { nameOfSystem } from './systems.ts';

/** What the host keeps of a raster's header; the pixels stay in the file. */
export interface RasterFacts {
  path: string;
  /** Changes with the file. */
  version: string;
  /** As the file says. */
  crs: Crs | null;
  width: number;
  height: number;
  transform: Affine;
  groundControl?: GroundControl;
  bands: BandHeader[];
  info: Omit<SceneInfo, 'crs' | 'crsName'>;
}

const radarRole = /^(VV|VH|HH|HV)$/i;

/** Reads a raster's header. Throws `scene/…`. */
async function readRasterFacts(file: string, signal?: AbortSignal): Promise<RasterFacts> {
  const scene = await openScene(file, signal, { allowIncomplete: true, cacheBytes: 1 << 20 });
  try {
    const { header } = scene;
    const { width, height, transform, crs, groundControl } = header.grid;
    const { bands, ...described } = describeHeader(header, file);
    const isRadar =
      scene.radar !== undefined || bands.some(({ role }) => role !== null && radarRole.test(role));
    return {
      path: file,
      version: await versionOf(file),
      crs,
      width,
      height,
      transform,
      ...(groundControl && { groundControl }),
      bands,
      info: {
        ...described,
        transform: [...transform],
        bands: bands.map((band) => ({ ...band })),
        extent: coveredBox(header.grid),
        modality: isRadar ? 'sar' : 'optical',
      },
    };
  } finally {
    await scene.close();
  }
}

/** The header as the contract tells it, `crs` being the file's own or the one assigned. */
export function sceneInfoOf(facts: RasterFacts, crs: Crs | null, ofProject: Crs | null): SceneInfo {
  return { ...facts.info, crs: nameOfSystem(crs, ofProject), crsName: crs?.name ?? null } as SceneInfo;
}

/** Changes when the file does; of a product's folder, with its manifest; of a stack, with any of its files. */
async function versionOf(scene: string): Promise<string> {
  const hash = createHash('sha256').update(scene);
  for (const file of await filesOfScene(scene)) {
    const about = await stat(file);
    const { size, mtimeMs } = about.isDirectory() ? await stat(path.join(file, 'manifest.safe')) : about;
    hash.update(`\n${size}\n${mtimeMs}`);
  }
  return hash.digest('base64url').slice(0, 16);
}

/** Headers of the rasters in use, read again when their files change. */
export class RasterFactsCache {
  readonly #known = new Map<string, { version: string; facts: Promise<RasterFacts> }>();

  async get(file: string): Promise<RasterFacts> {
    // A missing file's problem is told by the reader.
    const version = await versionOf(file).catch(() => 'missing');
    const known = this.#known.get(file);
    if (known?.version === version) return known.facts;
    const facts = readRasterFacts(file);
    facts.catch(() => {});
    this.#known.set(file, { version, facts });
    if (this.#known.size > 2000) this.#known.delete(this.#known.keys().next().value!);
    return facts;
  }
}
