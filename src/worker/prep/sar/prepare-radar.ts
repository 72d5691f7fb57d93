import { scaleAffine } from '../../raster/affine.ts';
import type { Bands, Samples } from '../../raster/bands.ts';
import type { Grid, Window } from '../../raster/grid.ts';
import { Problem, throwIfCancelled } from '../../report/problem.ts';
import { checkBands } from '../../scene/check-bands.ts';
import { groundSampleDistance } from '../../scene/ground-sample-distance.ts';
import type { RadarTables } from '../../scene/safe/radar-tables.ts';
import type { Scene, SceneHeader } from '../../scene/scene.ts';
import { type CompositeBand, compositeBands } from './composite.ts';
import { readPower } from './power.ts';
import { type RadarRecipe, recipeText } from './recipe.ts';
import { filterSpeckle, speckleRadius } from './speckle.ts';

/** Pixels of output made at once, margin not counted: bounds memory whatever window is asked for. */
const piecePixels = 2 ** 20;

/**
 * The scene that a recipe makes of a radar scene: calibrated, multilooked, filtered, composed, scaled. It reads like any
 * other scene and has no overviews. Law: a pixel is the same, bit for bit, whatever window it is read in. The source stays
 * the caller's to close. Throws `prep/no-calibration`, `prep/no-noise`, `prep/no-polarisation` or `prep/bad-recipe`.
 */
export async function prepareRadar(
  scene: Pick<Scene, 'header' | 'read' | 'radar'>,
  recipe: RadarRecipe,
): Promise<Pick<Scene, 'header' | 'read'>> {
  const composed = compositeBands(scene.header.bands, recipe.composite);
  const bands = [...new Set(composed.flatMap(({ band, by }) => (by === null ? [band] : [band, by])))].sort(
    (a, b) => a - b,
  );
  const tables = await tablesOf(scene, bands, recipe);
  if (recipe.stretch !== null && recipe.stretch.length !== composed.length) {
    throw new Problem(
      'prep/bad-recipe',
      `The radar recipe has ${recipe.stretch.length} stretches for ${composed.length} bands.`,
      'Give one for each band of the composite, or none.',
    );
  }
  const header = headerOf(scene.header, composed, recipe);
  const radius = speckleRadius(recipe.speckle);

  async function piece(
    window: Window,
    result: Bands,
    wanted: readonly number[],
    top: number,
    stop?: AbortSignal,
  ) {
    const padded = {
      column: window.column - radius,
      row: window.row - radius,
      width: window.width + 2 * radius,
      height: window.height + 2 * radius,
    };
    const used = bands.filter((band) => wanted.some((index) => uses(composed[index]!, band)));
    // Validity is that of all bands, so that it does not depend on those asked for.
    const power = await readPower(scene, bands, tables, recipe, padded, stop);
    throwIfCancelled(stop);
    const filtered = new Map(
      used.map((band) => {
        const values = power.planes[bands.indexOf(band)]!;
        return [band, filterSpeckle({ ...padded, values, valid: power.valid }, recipe.speckle)] as const;
      }),
    );
    const offset = top * window.width;
    for (let row = 0; row < window.height; row++) {
      const from = (row + radius) * padded.width + radius;
      result.valid.set(power.valid.subarray(from, from + window.width), offset + row * window.width);
    }
    wanted.forEach((index, plane) => {
      const { band, by } = composed[index]!;
      const target = result.planes[plane]!.subarray(offset, offset + window.width * window.height);
      finish(
        filtered.get(band)!,
        by === null ? null : filtered.get(by)!,
        result.valid.subarray(offset),
        recipe,
        recipe.stretch?.[index] ?? null,
        target,
      );
    });
  }

  return {
    header,
    async read(window, wanted, level, signal) {
      if (level !== 0) throw new RangeError(`level ${level} of 1`);
      checkBands(wanted, composed.length, 'The prepared scene');
      const { width, height } = window;
      const result: Bands = {
        width,
        height,
        planes: wanted.map(() =>
          recipe.stretch === null ? new Float32Array(width * height) : new Uint8Array(width * height),
        ),
        valid: new Uint8Array(width * height),
      };
      const step = Math.max(1, Math.floor(piecePixels / Math.max(1, width)));
      for (let top = 0; top < height; top += step) {
        const rows = Math.min(step, height - top);
        await piece(
          { column: window.column, row: window.row + top, width, height: rows },
          result,
          wanted,
          top,
          signal,
        );
      }
      return result;
    },
  };
}

function uses({ band, by }: CompositeBand, asked: number): boolean {
  return band === asked || by === asked;
}

async function tablesOf(
  scene: Pick<Scene, 'header' | 'radar'>,
  bands: readonly number[],
  recipe: RadarRecipe,
): Promise<(RadarTables | null)[]> {
  if (recipe.calibration === 'none' && !recipe.noise) return bands.map(() => null);
  const tables: (RadarTables | null)[] = [];
  for (const band of bands) {
    const found = (await scene.radar?.tables(band)) ?? null;
    if (found === null) {
      throw new Problem(
        'prep/no-calibration',
        `${scene.header.path} brings no calibration tables for ${scene.header.bands[band]!.name}.`,
        'Open the whole SAFE product, or set calibration to “none” in the recipe.',
      );
    }
    if (recipe.noise && (found.noise === null || scene.radar!.noiseRemoved)) {
      throw new Problem(
        'prep/no-noise',
        scene.radar!.noiseRemoved
          ? `${scene.header.path}: the thermal noise was taken off already.`
          : `${scene.header.path} brings no noise table for ${scene.header.bands[band]!.name}.`,
        'Switch noise removal off in the recipe.',
      );
    }
    if (recipe.input !== 'amplitude') {
      throw new Problem(
        'prep/bad-recipe',
        `The product's tables are for amplitudes, the recipe takes its samples for ${recipe.input}.`,
        'Set input to “amplitude” in the recipe.',
      );
    }
    tables.push(found);
  }
  return tables;
}

/** Power to the recipe's scale, at valid pixels; others stay 0. */
function finish(
  power: Float64Array,
  by: Float64Array | null,
  valid: Uint8Array,
  recipe: RadarRecipe,
  stretch: { low: number; high: number } | null,
  target: Samples,
): void {
  const least = 10 ** (recipe.floor / 10);
  const decibel = recipe.scale === 'decibel';
  const factor = stretch === null ? 1 : 255 / (stretch.high - stretch.low);
  for (let at = 0; at < target.length; at++) {
    if (valid[at] === 0) continue;
    let value = power[at]!;
    if (by !== null) value = Math.max(value, least) / Math.max(by[at]!, least);
    else if (decibel) value = Math.max(value, least);
    if (decibel) value = 10 * Math.log10(value);
    if (stretch !== null) value = Math.min(255, Math.max(0, Math.round((value - stretch.low) * factor)));
    target[at] = value;
  }
}

function headerOf(header: SceneHeader, composed: readonly CompositeBand[], recipe: RadarRecipe): SceneHeader {
  const { range, azimuth } = recipe.multilook;
  const { groundControl, ...plain } = header.grid;
  const grid: Grid = {
    ...plain,
    width: Math.floor(header.grid.width / range),
    height: Math.floor(header.grid.height / azimuth),
    transform: scaleAffine(header.grid.transform, range, azimuth),
  };
  if (grid.width < 1 || grid.height < 1) {
    throw new Problem(
      'prep/bad-recipe',
      `${header.path} is smaller than one multilooked pixel of ${range} × ${azimuth}.`,
      'Average fewer pixels in the recipe.',
    );
  }
  if (groundControl !== undefined) {
    grid.groundControl = {
      ...groundControl,
      points: groundControl.points.map(([column, row, x, y]) => [column / range, row / azimuth, x, y]),
    };
  }
  return {
    ...header,
    grid,
    bands: composed.map(({ name, role }) => ({
      name,
      role,
      type: recipe.stretch === null ? 'float32' : 'uint8',
      nodata: null,
    })),
    overviews: [],
    groundSampleDistance: groundSampleDistance(grid),
    details: { ...header.details, preparation: recipeText(recipe) },
  };
}
