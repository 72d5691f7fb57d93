import { join, parse } from 'node:path';
import { throwIfCancelled } from '../../worker/report/problem.ts';
import type { ReportProgress } from '../../worker/report/progress.ts';
import type { PolygonFeature } from '../../worker/vector/feature.ts';
import { GeoJsonWriter } from './geojson.ts';
import { GeoPackageWriter } from './geopackage.ts';
import type { LayerDescription, LayerReport, LayerWriter, StagedOutput } from './layer-writer.ts';
import { ShapefileWriter } from './shapefile.ts';
import { type OutputOptions, publishAll, StagedFile } from './staged-file.ts';
import { qmlStyle } from './style.ts';

export const layerFormats = ['gpkg', 'geojson', 'shp'] as const;
export type LayerFormat = (typeof layerFormats)[number];

/** First the ending that is added to a base name, then others that are accepted. */
const endings: Record<LayerFormat | 'tif', string[]> = {
  gpkg: ['.gpkg'],
  geojson: ['.geojson', '.json'],
  shp: ['.shp'],
  tif: ['.tif', '.tiff'],
};

/**
 * The file of a format for `--out`: a name that ends as the format does stays; another format's ending gives way;
 * anything else is a base name.
 */
export function layerPath(out: string, format: LayerFormat | 'tif'): string {
  const { dir, name, ext } = parse(out);
  const ending = ext.toLowerCase();
  if (endings[format].includes(ending)) return out;
  const known = Object.values(endings).flat().includes(ending);
  const base = known ? name : name + ext;
  return join(dir, base) + endings[format][0];
}

export interface WriteLayersOptions extends OutputOptions {
  signal?: AbortSignal;
  progress?: ReportProgress;
  /** Number of polygons to come, if known, for the progress. */
  total?: number;
  /** Complete files that get their names together with the layers. */
  also?: readonly StagedOutput[];
}

/**
 * Writes one stream of polygons into several formats at once: the file of each is `layerPath(out, format)`. The files
 * appear together at the end; after an error or an abort none of them exists, and replaced ones are as they were.
 * Throws Problems: `output/exists`, `output/no-folder`, `output/not-writable`, `output/too-large`,
 * `output/in-use`, `disk/full`, …
 */
export async function writeLayers(
  features: AsyncIterable<readonly PolygonFeature[]>,
  formats: readonly LayerFormat[],
  out: string,
  description: LayerDescription,
  options: WriteLayersOptions = {},
): Promise<LayerReport[]> {
  const { signal, progress, total } = options;
  const writers: LayerWriter[] = [];
  const sidecars: StagedFile[] = [];
  try {
    throwIfCancelled(signal);
    for (const format of new Set(formats))
      writers.push(await openWriter[format](layerPath(out, format), description, options));
    const companions = writers.map((writer) => companionsOf(writer.format as LayerFormat, out, description));
    for (const [path, text] of new Map(companions.flat())) {
      const file = await StagedFile.open(path, options);
      sidecars.push(file);
      file.text(text);
      await file.seal();
    }

    let done = 0;
    for await (const batch of features) {
      throwIfCancelled(signal);
      for (const writer of writers) await writer.add(batch);
      done += batch.length;
      progress?.({ phase: 'write', done, total: Math.max(total ?? done, done), unit: 'features' });
    }
    throwIfCancelled(signal);
    const reports: LayerReport[] = [];
    for (const writer of writers) reports.push(await writer.seal());
    throwIfCancelled(signal);
    // What goes with a layer comes before it.
    const { also = [] } = options;
    await publishAll([...also, ...sidecars, ...writers.flatMap((writer) => writer.files)], options);
    reports.forEach((report, index) => {
      report.paths.push(...companions[index].map(([path]) => path));
    });
    return reports;
  } catch (error) {
    for (const writer of [...writers, ...sidecars]) await writer.discard();
    throw error;
  }
}

const openWriter: Record<
  LayerFormat,
  (target: string, description: LayerDescription, options: OutputOptions) => Promise<LayerWriter>
> = {
  gpkg: GeoPackageWriter.open,
  geojson: GeoJsonWriter.open,
  shp: (target, description, options) => ShapefileWriter.open(target, description, options),
};

/**
 * Path and text of the files beside a layer for what its format has no place for: the style, which QGIS finds by its
 * name, and for shapefiles the provenance. Formats with the same base name share their style.
 */
function companionsOf(format: LayerFormat, out: string, description: LayerDescription): [string, string][] {
  if (format === 'gpkg') return [];
  const { dir, name } = parse(layerPath(out, format));
  const base = join(dir, name);
  const style: [string, string] = [`${base}.qml`, qmlStyle(description.classes)];
  if (format === 'geojson') return [style];
  return [style, [`${base}.provenance.json`, `${JSON.stringify(description.provenance, null, 2)}\n`]];
}
