import { chooseBands } from '../prep/choose-bands.ts';
import { normalise } from '../prep/normalise.ts';
import { measureStretch } from '../prep/stretch.ts';
import type { WorkingGrid } from '../prep/working-grid.ts';
import { openWorkingPixels } from '../prep/working-pixels.ts';
import { fingerprintFile } from '../scene/fingerprint.ts';
import type { Scene } from '../scene/scene.ts';

/** What of a run's request the pixels depend on. */
export interface PixelRequest {
  /** The scene's file. */
  scene: string;
  /** 1-based; null: chosen from the scene. */
  bands: number[] | null;
  /** Bytes of decoded blocks. */
  cacheBytes: number;
}

/** A scene's working pixels, and all that they depend on. */
export async function prepareScene(
  scene: Pick<Scene, 'header' | 'read'>,
  request: PixelRequest,
  workingGrid: WorkingGrid,
  signal: AbortSignal | undefined,
) {
  const bands = chooseBands(scene.header.bands, request.bands?.join(','));
  const sceneFingerprint = await fingerprintFile(request.scene);
  const stretch = await measureStretch(scene, bands, signal);
  const working = openWorkingPixels(scene, {
    grid: workingGrid,
    bands,
    stretch,
    cacheBytes: request.cacheBytes,
  });
  return { bands, stretch, working, sceneFingerprint };
}

/** Colours 0-255 to what a pack's encoder takes. */
export function normaliserOf({ mean, deviation }: { mean: readonly number[]; deviation: readonly number[] }) {
  return (pixels: Float32Array, valid: Uint8Array): Float32Array => normalise(pixels, valid, mean, deviation);
}
