import { open, rm, stat } from 'node:fs/promises';
import { Problem } from '../../worker/report/problem.ts';
import type { PolygonFeature } from '../../worker/vector/feature.ts';
import { createPrivateGeoPackage, PolygonLayer } from '../project/geopackage.ts';
import type { LayerDescription, LayerReport, LayerWriter, StagedOutput } from './layer-writer.ts';
import { checkTarget, type OutputOptions, outputProblem, temporaryName } from './staged-file.ts';
import { qmlStyle, sldStyle } from './style.ts';

/** Writes one layer as a GeoPackage of its own. */
export class GeoPackageWriter implements LayerWriter {
  readonly format = 'gpkg';
  readonly files: readonly StagedOutput[];
  readonly #file: StagedOutput;
  readonly #database: ReturnType<typeof createPrivateGeoPackage>;
  readonly #layer: PolygonLayer;
  readonly #notes: string[];

  private constructor(
    file: StagedOutput,
    database: ReturnType<typeof createPrivateGeoPackage>,
    layer: PolygonLayer,
    notes: string[],
  ) {
    this.#file = file;
    this.files = [file];
    this.#database = database;
    this.#layer = layer;
    this.#notes = notes;
  }

  static async open(
    target: string,
    description: LayerDescription,
    options: OutputOptions = {},
  ): Promise<GeoPackageWriter> {
    await checkTarget(target, options);
    await refuseOpenDatabase(target);
    const file = { target, temporary: temporaryName(target) };
    try {
      // SQLite says "unable to open" whatever the reason; the file system says why.
      await (await open(file.temporary, 'wx')).close();
      const database = createPrivateGeoPackage(file.temporary);
      try {
        const layer = new PolygonLayer(database, {
          name: description.name,
          description: describe(description),
          crs: description.crs,
          classes: description.classes,
          provenance: description.provenance,
          style: {
            name: 'classes',
            qml: qmlStyle(description.classes),
            sld: sldStyle(description.name, description.classes),
          },
        });
        const { crs } = description;
        const nameOnly = crs !== null && crs.epsg === null && crs.wkt === null;
        const notes = nameOnly
          ? [`There is no well-known text for ${crs.name}, so the GeoPackage holds only its name.`]
          : [];
        return new GeoPackageWriter(file, database, layer, notes);
      } catch (error) {
        database.close();
        throw error;
      }
    } catch (error) {
      await rm(file.temporary, { force: true });
      throw outputProblem(error, target);
    }
  }

  async add(batch: readonly PolygonFeature[]): Promise<void> {
    try {
      this.#layer.add(batch);
    } catch (error) {
      throw outputProblem(error, this.#file.target);
    }
  }

  async seal(): Promise<LayerReport> {
    const { target, temporary } = this.#file;
    try {
      const features = this.#layer.finish();
      this.#database.close();
      const handle = await open(temporary, 'r+');
      await handle.datasync().finally(() => handle.close());
      await refuseOpenDatabase(target);
      const { size } = await stat(temporary);
      return { format: this.format, paths: [target], features, bytes: size, notes: this.#notes };
    } catch (error) {
      throw outputProblem(error, target);
    }
  }

  async discard(): Promise<void> {
    try {
      this.#database.close();
    } catch {
      // A full disk can make closing fail; the file goes anyway.
    }
    await rm(this.#file.temporary, { force: true });
  }
}

/**
 * A journal beside the target belongs to a program that has it open (or died with it open); SQLite would apply it to
 * the new file and destroy that.
 */
async function refuseOpenDatabase(target: string): Promise<void> {
  for (const ending of ['-wal', '-journal'])
    if (await stat(target + ending).catch(() => null))
      throw new Problem(
        'output/in-use',
        `${target}: another program has it open (there is ${target}${ending}).`,
        'Remove the layer there (in QGIS) or close the program; if none is running, delete that file.',
      );
}

/** One sentence for the layer's properties in GIS programs; the JSON in the metadata tables says everything. */
function describe({ provenance, crs }: LayerDescription): string {
  const { program, version, date, scene, pack } = provenance;
  const unit = crs ? '' : ' Without georeference: coordinates, areas and perimeters are in pixels.';
  return `Segmented from ${scene} by ${program} ${version} with ${pack} on ${date}.${unit}`;
}
