import { type RadarRecipe, recipeText } from '../prep/sar/recipe.ts';
import { type Affine, isPixelTransform } from '../raster/affine.ts';
import type { Crs } from '../raster/crs.ts';
import { toOwnGeographic } from '../raster/crs.ts';
import { coveredBox, groundOf } from '../raster/extent.ts';
import { fingerprintFile } from '../scene/fingerprint.ts';
import { openScene } from '../scene/open-scene.ts';
import type { BandHeader, SceneHeader } from '../scene/scene.ts';
import { type Modality, radarPreparationOf } from './radar-preparation.ts';

/** What `landscribe info` tells of a scene; plain JSON. */
export interface SceneInfo {
  path: string;
  format: string;
  width: number;
  height: number;
  bands: BandHeader[];
  crs: Pick<Crs, 'epsg' | 'name' | 'kind'> | null;
  /** GDAL's order, or null without georeference; with ground control points, the closest to them. */
  transform: Affine | null;
  /** Size of a pixel in units of the CRS: along columns, along rows. */
  pixelSize: [number, number] | null;
  /** Degrees for geographic systems, metres (or the system's unit) for projected ones. */
  unit: string | null;
  groundSampleDistance: number | null;
  /** In CRS units: x minimum, y minimum, x maximum, y maximum. */
  extent: [number, number, number, number] | null;
  /** Of the centre, degrees; null where it has none. */
  centre: { longitude: number; latitude: number } | null;
  overviews: { width: number; height: number }[];
  details: Record<string, string>;
  fingerprint: string;
  modality: Modality;
  /** How a run prepares a radar scene unless told otherwise; null where it does not. */
  radar: RadarRecipe | null;
}

/** Reads a scene's header. Files that are cut short are described too; `details.warning` says so. */
export async function describeScene(path: string, signal?: AbortSignal): Promise<SceneInfo> {
  const scene = await openScene(path, signal, { allowIncomplete: true });
  try {
    const { modality, recipe } = await radarPreparationOf(scene, null, null, signal);
    return {
      ...describeHeader(scene.header, path),
      fingerprint: await fingerprintFile(path),
      modality,
      radar: recipe,
    };
  } finally {
    await scene.close();
  }
}

/** All that an opened scene's header tells. */
export function describeHeader(
  header: SceneHeader,
  path: string,
): Omit<SceneInfo, 'fingerprint' | 'modality' | 'radar'> {
  const { format, grid, bands, overviews, groundSampleDistance, details } = header;
  const { width, height, transform, crs } = grid;
  const placed = crs !== null || !isPixelTransform(transform);
  const toDegrees = crs === null ? null : toOwnGeographic(crs);
  const [longitude, latitude] = toDegrees?.(...groundOf(grid)(width / 2, height / 2)) ?? [
    Number.NaN,
    Number.NaN,
  ];
  return {
    path,
    format,
    width,
    height,
    bands,
    crs: crs === null ? null : { epsg: crs.epsg, name: crs.name, kind: crs.kind },
    transform: placed ? transform : null,
    pixelSize: placed
      ? [Math.hypot(transform[1], transform[4]), Math.hypot(transform[2], transform[5])]
      : null,
    unit: crs === null ? null : unitOf(crs),
    groundSampleDistance,
    extent: placed ? coveredBox(grid) : null,
    centre: Number.isFinite(longitude) && Number.isFinite(latitude) ? { longitude, latitude } : null,
    overviews,
    details,
  };
}

function unitOf(crs: Crs): string {
  if (crs.kind === 'geographic') return 'degrees';
  if (crs.metresPerUnit === 1) return 'm';
  return Math.abs(crs.metresPerUnit - 0.3048) < 1e-4 ? 'feet' : `units of ${crs.metresPerUnit} m`;
}

/** The information as lines for a terminal. */
export function formatSceneInfo(info: SceneInfo): string {
  const lines: [string, string][] = [
    ['File', info.path],
    ['Format', info.format],
    ['Size', `${info.width} × ${info.height} pixels`],
    ['Bands', `${info.bands.length}: ${info.bands.map(bandText).join(', ')}`],
    ['Type', [...new Set(info.bands.map((band) => band.type))].join(', ')],
    ['Nodata', nodataText(info.bands)],
    ['CRS', info.crs === null ? 'none' : crsText(info.crs)],
  ];
  lines.push(['Modality', info.modality === 'sar' ? 'radar (SAR)' : 'optical']);
  if (info.radar !== null) lines.push(['Preparation', `${recipeText(info.radar)} (proposed)`]);
  if (info.pixelSize !== null) {
    const [x, y] = info.pixelSize.map((value) => Number(value.toPrecision(9)));
    lines.push(['Pixel size', `${x === y ? x : `${x} × ${y}`} ${info.unit ?? ''}`.trim()]);
  }
  if (info.groundSampleDistance !== null) {
    lines.push([
      'On the ground',
      `${Number(info.groundSampleDistance.toPrecision(4))} m per pixel at the centre`,
    ]);
  }
  if (info.extent !== null) {
    const digits = info.crs?.kind === 'geographic' ? 7 : 3;
    const [left, bottom, right, top] = info.extent.map((value) => value.toFixed(digits));
    lines.push(['Extent', `x ${left} to ${right}, y ${bottom} to ${top}`]);
  }
  if (info.centre !== null) {
    const { longitude, latitude } = info.centre;
    const east = `${Math.abs(longitude).toFixed(5)}° ${longitude < 0 ? 'W' : 'E'}`;
    const north = `${Math.abs(latitude).toFixed(5)}° ${latitude < 0 ? 'S' : 'N'}`;
    lines.push(['Centre', `${north}, ${east}`]);
  }
  lines.push([
    'Overviews',
    info.overviews.map(({ width, height }) => `${width} × ${height}`).join(', ') || 'none',
  ]);
  for (const [name, value] of Object.entries(info.details)) {
    lines.push([name[0]!.toUpperCase() + name.slice(1), value]);
  }
  const width = Math.max(...lines.map(([name]) => name.length));
  // Names come from files: a terminal would obey their control characters.
  return lines.map(([name, value]) => `${name.padEnd(width)}  ${value}`.replace(/\p{Cc}+/gu, ' ')).join('\n');
}

function bandText(band: BandHeader, index: number): string {
  const role = band.role === null || band.role === band.name ? '' : ` (${band.role})`;
  return `${index + 1} ${band.name === `band ${index + 1}` ? (band.role ?? 'unnamed') : band.name + role}`;
}

function nodataText(bands: readonly BandHeader[]): string {
  const values = [
    ...new Set(bands.filter((band) => band.role !== 'alpha').map((band) => String(band.nodata ?? 'none'))),
  ];
  return values.join(', ');
}

function crsText(crs: Pick<Crs, 'epsg' | 'name'>): string {
  return crs.epsg === null ? `${crs.name} (no EPSG code)` : `EPSG:${crs.epsg} ${crs.name}`;
}
