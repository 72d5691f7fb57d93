import { blockHeight, blockWidth, CoordinateReader } from '../features/coordinate-store.ts';
import { type Coordinates, emptyCoordinates } from '../features/coordinates.ts';
import { type FeatureIdentity, FeatureReader } from '../features/feature-store.ts';
import { levelUnit } from '../features/pixel-basis.ts';
import type { Window } from '../raster/grid.ts';
import { Problem, throwIfCancelled } from '../report/problem.ts';
import { selectWindows, type WindowPlan } from '../tile/plan.ts';
import { coordinateLabeller } from './coordinate-labeller.ts';
import { checkPixels } from './stored-pixels.ts';

export interface StoredViewRequest {
  /** The store. */
  folder: string;
  /** What the view's own encoding would depend on. */
  identity: Pick<FeatureIdentity, 'sceneFingerprint' | 'packChecksum' | 'encoder' | 'window' | 'stride'>;
  pixels: Parameters<typeof checkPixels>[1];
  upsample: boolean;
  plan: WindowPlan;
  /** Working pixels. */
  part: Window;
  signal: AbortSignal;
}

export interface StoredView {
  coordinates: Coordinates;
  /** Along the coordinates' directions, in the part. */
  variances: Float64Array;
  /** Class tokens by window number. */
  classTokens: Map<number, Float32Array>;
}

/** A part of a scene from what is stored of it; null where nothing is, or not of this scene, model and settings. */
export async function storedView(request: StoredViewRequest): Promise<StoredView | null> {
  const { folder, identity, upsample } = request;
  const opened: { close(): Promise<void> }[] = [];
  try {
    const features = await FeatureReader.open(folder, identity);
    opened.push(features);
    const { encoder, window, stride } = features.header.identity;
    for (const [mine, stored] of [
      [identity.encoder, encoder],
      [identity.window, window],
      [identity.stride, stride],
    ])
      if (JSON.stringify(mine) !== JSON.stringify(stored)) return null;
    checkPixels(features, request.pixels);
    const coordinates = await CoordinateReader.open(folder, coordinateLabeller(upsample));
    if (!coordinates) return null;
    opened.push(coordinates);
    const part = await readPart(coordinates, request.part, request.signal);
    return {
      coordinates: part,
      variances: variancesOf(part),
      classTokens: await classTokensOf(features, request.plan, request.part),
    };
  } catch (error) {
    // What is stored only saves the work: without it the view is encoded.
    if (error instanceof Problem && error.code.startsWith('features/')) return null;
    throw error;
  } finally {
    for (const one of opened) await one.close();
  }
}

async function readPart(
  reader: CoordinateReader,
  { column, row, width, height }: Window,
  signal: AbortSignal,
): Promise<Coordinates> {
  const { basis } = reader;
  const { rank } = basis;
  const out = emptyCoordinates(basis, width, height);
  const lastColumn = Math.floor((column + width - 1) / blockWidth);
  const lastRow = Math.floor((row + height - 1) / blockHeight);
  for (let blockRow = Math.floor(row / blockHeight); blockRow <= lastRow; blockRow++) {
    throwIfCancelled(signal);
    const first = Math.floor(column / blockWidth);
    const blocks = await Promise.all(
      Array.from({ length: lastColumn - first + 1 }, (_, i) => reader.coordinates(first + i, blockRow)),
    );
    for (const [i, block] of blocks.entries()) {
      if (!block) continue;
      const left = Math.max(column, (first + i) * blockWidth);
      const right = Math.min(column + width, (first + i) * blockWidth + block.width);
      const top = Math.max(row, blockRow * blockHeight);
      const bottom = Math.min(row + height, blockRow * blockHeight + block.height);
      const skipped = left - (first + i) * blockWidth;
      for (let y = top; y < bottom; y++) {
        const inBlock = y - blockRow * blockHeight;
        const start = inBlock * block.width + skipped;
        out.valid.set(block.valid.subarray(start, start + right - left), (y - row) * width + left - column);
        for (let k = 0; k < rank; k++) {
          const from = (inBlock * rank + k) * block.width + skipped;
          out.levels.set(
            block.levels.subarray(from, from + right - left),
            ((y - row) * rank + k) * width + left - column,
          );
        }
      }
    }
  }
  return out;
}

/** Of some thousand pixels. */
function variancesOf({ basis, width, height, levels, valid }: Coordinates): Float64Array {
  const sums = new Float64Array(basis.rank);
  const squares = new Float64Array(basis.rank);
  const step = Math.max(1, Math.floor((width * height) / 20_000));
  let count = 0;
  for (let pixel = 0; pixel < width * height; pixel += step) {
    if (valid[pixel] === 0) continue;
    count++;
    const row = Math.floor(pixel / width);
    for (let k = 0; k < basis.rank; k++) {
      const value = levelUnit * levels[(row * basis.rank + k) * width + (pixel % width)]!;
      sums[k]! += value;
      squares[k]! += value * value;
    }
  }
  return squares.map((square, k) =>
    count === 0 ? 0 : Math.max(0, square / count - (sums[k]! / count) ** 2),
  );
}

async function classTokensOf(
  features: FeatureReader,
  plan: WindowPlan,
  part: Window,
): Promise<Map<number, Float32Array>> {
  const { firstColumn, endColumn, firstRow, endRow } = selectWindows(plan, part);
  const tokens = new Map<number, Float32Array>();
  for (let row = firstRow; row < endRow; row++) {
    for (let column = firstColumn; column < endColumn; column++) {
      const number = row * plan.columns.count + column;
      const record = await features.record(number);
      if (record) tokens.set(number, features.codec.classToken(record, features.folder));
    }
  }
  return tokens;
}
