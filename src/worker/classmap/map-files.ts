import { readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import type { Affine } from '../raster/affine.ts';
import type { Crs } from '../raster/crs.ts';
import type { ClassEntry } from './class-entry.ts';
import { hasGeoKeys } from './geo-tags.ts';
import type { GeoTiffDescription } from './geotiff-writer.ts';
import { colourChannels } from './palette.ts';
import { storageProblem } from './storage-problem.ts';

/** What both rasters of a run share. */
export interface MapContext {
  transform: Affine;
  crs: Crs | null;
  /** Program and version. */
  software: string;
  classes: readonly ClassEntry[];
  /** JSON: scene, prompts, pack, settings, date, version. */
  provenance: string;
}

/** The class map: a palette of the class colours, nodata 0, class names and provenance as metadata. */
export function describeClassMap(context: MapContext): GeoTiffDescription {
  const colours = new Uint8Array(3 * (context.classes.length + 1));
  for (const { id, colour } of context.classes) colours.set(colourChannels(colour), 3 * id);
  return {
    transform: context.transform,
    crs: context.crs,
    software: context.software,
    description: 'Class map; 0 is unclassified or nodata',
    nodata: 0,
    colours,
    metadata: [
      { name: 'DESCRIPTION', value: 'class', role: 'description' },
      ...context.classes.map(({ id, name }) => ({ name: `CLASS_${id}`, value: name })),
      { name: 'PROVENANCE', value: context.provenance },
    ],
  };
}

/** The confidence raster: 0-255 for a probability of 0-1, as scale says. */
export function describeConfidence(context: MapContext): GeoTiffDescription {
  return {
    transform: context.transform,
    crs: context.crs,
    software: context.software,
    description: 'Probability of the winning class, times 255; 0 where there is no measurement',
    nodata: 0,
    colours: null,
    metadata: [
      { name: 'DESCRIPTION', value: 'confidence', role: 'description' },
      { name: 'SCALE', value: String(1 / 255), role: 'scale' },
      { name: 'OFFSET', value: '0', role: 'offset' },
      { name: 'PROVENANCE', value: context.provenance },
    ],
  };
}

function escapeXml(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replace(/\p{Cc}/gu, ' ');
}

function unescapeXml(text: string): string {
  return text.replaceAll('&lt;', '<').replaceAll('&gt;', '>').replaceAll('&amp;', '&');
}

const largestSidecar = 16 * 2 ** 20;

/** Class names by id, from the sidecar of a class map, as `writeSidecar` and GDAL write it; empty without one. */
export async function readClassNames(classMapPath: string): Promise<string[]> {
  const path = sidecarPath(classMapPath);
  const size = (await stat(path).catch(() => null))?.size ?? 0;
  if (size === 0 || size > largestSidecar) return [];
  const text = await readFile(path, 'utf8');
  const list = /<CategoryNames>([\s\S]*?)<\/CategoryNames>/.exec(text)?.[1] ?? '';
  return [...list.matchAll(/<Category>([^<]*)<\/Category>|<Category\s*\/>/g)].map(([, name]) =>
    unescapeXml(name ?? ''),
  );
}

function sidecarPath(classMapPath: string): string {
  return `${classMapPath}.aux.xml`;
}

/**
 * Writes what the GeoTIFF itself cannot say into `NAME.tif.aux.xml`, where GDAL and QGIS look for it: class names (for
 * the class map) and a reference system without an EPSG code. Writes nothing, and removes an older one, where there is
 * neither. Atomic.
 */
export async function writeSidecar(
  rasterPath: string,
  crs: Crs | null,
  classes: readonly ClassEntry[] | null,
): Promise<void> {
  const path = sidecarPath(rasterPath);
  const part = `${path}.part`;
  let content = '';
  if (!hasGeoKeys(crs) && crs !== null && crs.wkt !== null) content += `  <SRS>${escapeXml(crs.wkt)}</SRS>\n`;
  if (classes !== null) {
    const names: string[] = ['unclassified'];
    for (const { id, name } of classes) names[id] = name;
    const lines = names.map((name) => `      <Category>${escapeXml(name)}</Category>\n`);
    content += `  <PAMRasterBand band="1">\n    <CategoryNames>\n${lines.join('')}    </CategoryNames>\n  </PAMRasterBand>\n`;
  }
  try {
    if (content === '') {
      await rm(path, { force: true });
      return;
    }
    await writeFile(part, `<PAMDataset>\n${content}</PAMDataset>\n`, { flush: true });
    await rename(part, path);
  } catch (error) {
    await rm(part, { force: true }).catch(() => {});
    throw storageProblem(error, path);
  }
}
