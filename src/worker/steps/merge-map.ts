import type { ClassEntry } from '../classmap/class-entry.ts';
import type { ClassStrip } from '../classmap/class-strip.ts';
import { countClasses } from '../classmap/count-classes.ts';
import { GeoTiffReader, readClassStrips } from '../classmap/geotiff-reader.ts';
import { GeoTiffWriter } from '../classmap/geotiff-writer.ts';
import { describeClassMap, writeSidecar } from '../classmap/map-files.ts';
import type { Grid } from '../raster/grid.ts';
import { sieveStrips } from '../vector/sieve.ts';
import type { Provenance } from './provenance.ts';
import type { TaskContext } from './task-context.ts';

export interface MergeRequest {
  classMap: string;
  /** The merged class map to write; its sidecar appears beside it. */
  merged: string;
  grid: Grid;
  classes: ClassEntry[];
  provenance: Provenance;
  /** Pieces of fewer pixels go to their best neighbour. */
  minAreaPixels: number;
  memoryLimit: number;
}

/** Merges small pieces of a class map into their neighbours; returns the pixels per class id, `[classes + 1]`. */
export async function mergeMap(request: MergeRequest, context: TaskContext): Promise<number[]> {
  const { classMap, merged, grid, classes, provenance } = request;
  const { signal } = context;
  const { width, height } = grid;
  const reader = await GeoTiffReader.open(classMap);
  const { sampleType, tileSize } = reader;
  await reader.close();
  const layout = { path: merged, partPath: `${merged}.part`, width, height, sampleType, tileSize };
  const writer = await GeoTiffWriter.open(
    { ...layout, bigTiff: 'auto', level: 6 },
    { digest: '', state: '', strips: [] },
  );
  try {
    const counts = new Array<number>(classes.length + 1).fill(0);
    const strips = sieveStrips(readClassStrips(classMap, null, tileSize, signal), {
      minimumPixels: request.minAreaPixels,
      memoryLimit: request.memoryLimit,
      signal,
    });
    for await (const { firstRow, rows, classes: ids } of tileRows(strips, width, height, tileSize)) {
      for (const [id, pixels] of countClasses(ids, classes.length)) counts[id]! += pixels;
      await writer.writeBlock(0, firstRow, width, rows, ids, signal);
      context.report({ phase: 'merging', done: firstRow + rows, total: height, unit: 'rows' });
    }
    await writer.seal(
      describeClassMap({
        transform: grid.transform,
        crs: grid.crs,
        software: `${provenance.program} ${provenance.version}`,
        classes,
        provenance: JSON.stringify(provenance),
      }),
    );
    await writeSidecar(merged, grid.crs, classes);
    await writer.publish();
    return counts;
  } catch (error) {
    await writer.discard();
    throw error;
  }
}

/** The same rows in strips of whole rows of tiles. */
async function* tileRows(
  strips: AsyncIterable<ClassStrip>,
  width: number,
  height: number,
  tileSize: number,
): AsyncGenerator<ClassStrip> {
  let block: ClassStrip['classes'] | null = null;
  let firstRow = 0;
  let filled = 0;
  for await (const strip of strips) {
    for (let row = 0; row < strip.rows; ) {
      const rows = Math.min(tileSize, height - firstRow);
      const wide: boolean = strip.classes.BYTES_PER_ELEMENT === 2;
      block ??= wide ? new Uint16Array(rows * width) : new Uint8Array(rows * width);
      const taken = Math.min(rows - filled, strip.rows - row);
      block.set(strip.classes.subarray(row * width, (row + taken) * width), filled * width);
      row += taken;
      filled += taken;
      if (filled < rows) continue;
      yield { firstRow, rows, width, classes: block };
      firstRow += rows;
      filled = 0;
      block = null;
    }
  }
}
