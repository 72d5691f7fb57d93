import type { ClassEntry } from '../classmap/class-entry.ts';
import type { ClassStrip } from '../classmap/class-strip.ts';
import type { Grid } from '../raster/grid.ts';
import { Problem, throwIfCancelled } from '../report/problem.ts';
import type { ReportProgress } from '../report/progress.ts';
import type { PolygonFeature } from '../vector/feature.ts';
import { georeferenceRings } from '../vector/georeference.ts';
import { measureOn } from '../vector/measure.ts';
import { sieveStrips } from '../vector/sieve.ts';
import { type SimplifiedStrip, simplifyStrips } from '../vector/simplify.ts';
import { type TracedPolygon, Tracer } from '../vector/trace.ts';

export interface PolygoniseRequest {
  /** The class map from its first row to its last. */
  strips: AsyncIterable<ClassStrip>;
  grid: Grid;
  /** Classes that the map may hold; another id is a `Problem`. */
  classes: readonly ClassEntry[];
  /** Pieces of fewer pixels are merged into their neighbours; 0 or 1 merges nothing. */
  minAreaPixels?: number;
  /** Tolerance of the simplification in pixels; 0 keeps exact pixel edges. */
  simplifyPixels?: number;
  /** Bytes that merging may hold; a `Problem` beyond. */
  memoryLimit?: number;
  signal?: AbortSignal | undefined;
  onProgress?: ReportProgress | undefined;
}

const batchFeatures = 4096;
const batchCoordinates = 1 << 18;

/**
 * The polygons of a class map in batches, in order of their last row: traced along pixel edges, 4-connected, class 0
 * left out. The result depends neither on the strips' heights nor on the batches. Progress counts rows.
 */
export async function* polygonise(request: PolygoniseRequest): AsyncGenerator<PolygonFeature[]> {
  const { grid, signal, onProgress, minAreaPixels = 0, simplifyPixels = 0 } = request;
  const { width, height } = grid;
  const measure = measureOn(grid);
  const tracer = new Tracer(width);
  let batch: PolygonFeature[] = [];
  let coordinates = 0;

  function addFeature(traced: TracedPolygon): void {
    const rings = georeferenceRings(traced.rings, grid.transform);
    const { area, perimeter } = measure(traced.rings, rings);
    batch.push({ classId: traced.classId, confidence: traced.confidence, area, perimeter, rings });
    for (const ring of rings) coordinates += ring.length;
  }

  function takeBatch(): PolygonFeature[] {
    const full = batch;
    batch = [];
    coordinates = 0;
    return full;
  }

  let strips = checkedStrips(request.strips, grid, request.classes);
  if (minAreaPixels > 1) {
    const memory = request.memoryLimit === undefined ? {} : { memoryLimit: request.memoryLimit };
    strips = sieveStrips(strips, { minimumPixels: minAreaPixels, signal, ...memory });
  }
  const source: AsyncIterable<ClassStrip & Partial<SimplifiedStrip>> =
    simplifyPixels > 0
      ? simplifyStrips(strips, { width, height, tolerance: simplifyPixels, signal })
      : strips;

  let lastKeep: Uint8Array | null = null;
  let lastKeepOffset = 0;
  onProgress?.({ phase: 'polygonise', done: 0, total: height, unit: 'rows' });
  for await (const strip of source) {
    const { classes, confidence = null, keep = null } = strip;
    for (let row = 0; row < strip.rows; row++) {
      if ((row & 63) === 0) throwIfCancelled(signal);
      tracer.addRow(classes, row * width, confidence, keep, row * (width + 1));
      for (const traced of tracer.take()) {
        addFeature(traced);
        if (batch.length >= batchFeatures || coordinates >= batchCoordinates) yield takeBatch();
      }
    }
    lastKeep = keep;
    lastKeepOffset = strip.rows * (width + 1);
    onProgress?.({ phase: 'polygonise', done: strip.firstRow + strip.rows, total: height, unit: 'rows' });
  }
  throwIfCancelled(signal);
  tracer.finish(lastKeep, lastKeepOffset);
  for (const traced of tracer.take()) {
    addFeature(traced);
    if (batch.length >= batchFeatures || coordinates >= batchCoordinates) yield takeBatch();
  }
  if (batch.length > 0) yield takeBatch();
}

/** The strips, once they are known to follow each other, to fill the grid and to hold known classes. */
async function* checkedStrips(
  strips: AsyncIterable<ClassStrip>,
  grid: Grid,
  classes: readonly ClassEntry[],
): AsyncGenerator<ClassStrip> {
  const known = new Uint8Array(65536);
  known[0] = 1;
  for (const { id } of classes) known[id] = 1;
  let row = 0;
  for await (const strip of strips) {
    const fits = strip.width === grid.width && strip.firstRow === row && row + strip.rows <= grid.height;
    if (!fits || strip.classes.length < strip.rows * strip.width) throw brokenMap(row, grid);
    const pixels = strip.rows * strip.width;
    for (let at = 0; at < pixels; at++) {
      if (known[strip.classes[at]!] === 0) {
        throw new Problem(
          'vector/unknown-class',
          `The class map holds class ${strip.classes[at]} at column ${at % strip.width}, row ${row + Math.floor(at / strip.width)}, which the list of classes does not name.`,
          'Use the list of classes that the map was made with.',
        );
      }
    }
    row += strip.rows;
    yield strip;
  }
  if (row !== grid.height) throw brokenMap(row, grid);
}

function brokenMap(row: number, grid: Grid): Problem {
  return new Problem(
    'vector/incomplete-map',
    `The class map does not continue at row ${row} of ${grid.width} × ${grid.height} pixels.`,
    'Run the segmentation again; the class map was not finished.',
  );
}
