import { scaleAffine } from '../raster/affine.ts';
import type { Grid } from '../raster/grid.ts';
import { Problem } from '../report/problem.ts';

/** The pixels that the encoder sees: the scene's grid at the working resolution, same corner, same axes. */
export interface WorkingGrid extends Grid {
  /** Scene pixels per working pixel along each axis: above 1 the scene is averaged, below 1 interpolated. */
  scale: number;
  /** Metres per working pixel, or null without georeference. */
  resolution: number | null;
  /** One sentence for the user: which resolution and why. */
  reason: string;
}

/** A scale this close (relative) to whole scene pixels is taken as whole: UTM's own scale varies by 0.1 %. */
const snap = 0.005;
/** Working pixels this much finer than the scene's show nothing new, and their number grows with the square. */
const finestScale = 1 / 64;

/**
 * The working grid of a scene. `resolution`: metres per pixel, `native` for the scene's own pixels, or undefined for the
 * default: native, unless the scene is finer than `finestResolution` (metres, the pack's; null where it has none).
 * `groundSampleDistance` is the scene's, metres. Throws `prep/no-resolution` for metres without a CRS.
 */
export function chooseWorkingGrid(
  grid: Grid,
  groundSampleDistance: number | null,
  resolution: number | 'native' | undefined,
  finestResolution: number | null,
): WorkingGrid {
  if (resolution === 'native')
    return scaled(grid, 1, groundSampleDistance, 'the scene’s own pixels, as asked');
  if (resolution !== undefined) {
    if (!Number.isFinite(resolution) || resolution <= 0) {
      throw new Problem(
        'prep/bad-resolution',
        `A working resolution of ${resolution} is not possible.`,
        'Give metres per pixel above 0, or native.',
      );
    }
    if (groundSampleDistance === null) {
      throw new Problem(
        'prep/no-resolution',
        'The scene has no coordinate system, so a working resolution in metres means nothing.',
        'Use --resolution native, or give the scene a world file and a .prj.',
      );
    }
    const scale = snapped(resolution / groundSampleDistance);
    if (scale < finestScale) {
      throw new Problem(
        'prep/bad-resolution',
        `A working resolution of ${metres(resolution)} is far finer than the scene’s ${metres(groundSampleDistance)}.`,
        `Give at least ${metres(groundSampleDistance * finestScale)}.`,
      );
    }
    return scaled(grid, scale, groundSampleDistance, 'as asked');
  }
  if (groundSampleDistance === null) return scaled(grid, 1, null, 'the scene has no coordinate system');
  if (finestResolution === null || groundSampleDistance >= finestResolution) {
    return scaled(grid, 1, groundSampleDistance, 'the scene’s own pixels');
  }
  const scale = snapped(finestResolution / groundSampleDistance);
  if (scale === 1) return scaled(grid, 1, groundSampleDistance, 'the scene’s own pixels');
  return scaled(
    grid,
    scale,
    groundSampleDistance,
    `the finest the pack was made for; the scene has ${metres(groundSampleDistance)}`,
  );
}

/** The working grid of `scale` scene pixels a working pixel, for pictures that may be coarser than a run. */
export function coarserGrid(grid: Grid, groundSampleDistance: number | null, scale: number): WorkingGrid {
  return scaled(grid, scale, groundSampleDistance, 'coarser, for a preview of so much');
}

function snapped(scale: number): number {
  for (const whole of [Math.round(scale), 1 / Math.round(1 / scale)]) {
    if (whole > 0 && Number.isFinite(whole) && Math.abs(scale / whole - 1) <= snap) return whole;
  }
  return scale;
}

function scaled(grid: Grid, scale: number, groundSampleDistance: number | null, why: string): WorkingGrid {
  const resolution = groundSampleDistance === null ? null : groundSampleDistance * scale;
  const size = resolution === null ? 'scene pixels' : `${metres(resolution)} per pixel`;
  return {
    width: workingSize(grid.width, scale),
    height: workingSize(grid.height, scale),
    transform: scale === 1 ? grid.transform : scaleAffine(grid.transform, scale, scale),
    crs: grid.crs,
    scale,
    resolution,
    reason: `Working resolution: ${size} (${why}).`,
  };
}

/** Working pixels that cover `size` scene pixels; a sliver below a millionth of a pixel is rounding. */
function workingSize(size: number, scale: number): number {
  return Math.max(1, Math.ceil(size / scale - 1e-6));
}

function metres(value: number): string {
  return `${Number(value.toPrecision(3))} m`;
}
