import { applyAffine } from '../raster/affine.ts';
import type { Samples } from '../raster/bands.ts';
import { type Crs, findEpsg, toOwnGeographic, transformer } from '../raster/crs.ts';
import { boxAround, gridOutline } from '../raster/extent.ts';
import type { Grid, Window } from '../raster/grid.ts';
import { type GroundMapping, groundMapping } from '../raster/ground-control.ts';
import { Problem, throwIfCancelled } from '../report/problem.ts';
import { groundSampleDistance } from './ground-sample-distance.ts';
import type { Scene } from './scene.ts';

export interface PlacedSceneOptions {
  /** A projected system; default the UTM zone (WGS 84) of the scene's centre. */
  crs?: Crs;
  /** Side of a pixel in units of the system; default the scene's own ground sample distance. */
  pixelSize?: number;
}

/** Squares of the new grid that are made at once. */
const side = 256;
/** Positions are exact at every so many pixels of the new grid, linear between. */
const spacing = 16;
const nodes = side / spacing + 1;
const largestSide = 2 ** 20;

/**
 * A scene with ground control points, laid onto a regular north-up grid: the source's nearest pixel at each new pixel's
 * centre, no value mixed. Pixels that the source does not cover are invalid. A pixel is the same in every window. No
 * overviews; the source stays the caller's to close. Throws `scene/no-place` for a scene without ground control points.
 */
export function placeScene(
  scene: Pick<Scene, 'header' | 'read'>,
  options: PlacedSceneOptions = {},
): Pick<Scene, 'header' | 'read'> {
  const source = scene.header.grid;
  const { groundControl, crs: sourceCrs } = source;
  if (groundControl === undefined || sourceCrs === null) throw noPlace(scene, 'has no ground control points');
  const mapping = groundMapping(groundControl);
  const crs = options.crs ?? zoneOf(scene, mapping, sourceCrs);
  const toTarget = transformer(sourceCrs, crs);
  const toSource = transformer(crs, sourceCrs);
  if (toTarget === null || toSource === null) throw noPlace(scene, `cannot be brought into ${crs.name}`);
  const pixelSize =
    options.pixelSize ?? (scene.header.groundSampleDistance ?? Number.NaN) / (crs.metresPerUnit || 1);
  if (!(pixelSize > 0)) throw noPlace(scene, 'has no ground sample distance');
  const grid = gridOf(scene, toTarget, crs, pixelSize);

  /** Fractional source columns and rows at the nodes of a square, `[nodes, nodes]` each. */
  function positions(squareColumn: number, squareRow: number): { columns: Float64Array; rows: Float64Array } {
    const columns = new Float64Array(nodes * nodes);
    const rows = new Float64Array(nodes * nodes);
    for (let row = 0, at = 0; row < nodes; row++) {
      for (let column = 0; column < nodes; column++, at++) {
        const [x, y] = applyAffine(
          grid.transform,
          squareColumn * side + column * spacing + 0.5,
          squareRow * side + row * spacing + 0.5,
        );
        const [groundX, groundY] = toSource!(x, y);
        const pixel = mapping.toPixel(groundX, groundY);
        columns[at] = pixel[0];
        rows[at] = pixel[1];
      }
    }
    return { columns, rows };
  }

  async function fill(
    part: Window,
    window: Window,
    bands: readonly number[],
    planes: (Samples | null)[],
    valid: Uint8Array,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const squareColumn = Math.floor(part.column / side);
    const squareRow = Math.floor(part.row / side);
    const at = positions(squareColumn, squareRow);
    const count = part.width * part.height;
    const columns = new Int32Array(count);
    const rows = new Int32Array(count);
    let [left, right, top, bottom] = [Infinity, -Infinity, Infinity, -Infinity];
    for (let index = 0; index < count; index++) {
      const x = part.column - squareColumn * side + (index % part.width);
      const y = part.row - squareRow * side + Math.floor(index / part.width);
      const column = Math.floor(between(at.columns, x, y));
      const row = Math.floor(between(at.rows, x, y));
      if (!(column >= 0 && column < source.width && row >= 0 && row < source.height)) {
        columns[index] = -1;
        continue;
      }
      columns[index] = column;
      rows[index] = row;
      left = Math.min(left, column);
      right = Math.max(right, column);
      top = Math.min(top, row);
      bottom = Math.max(bottom, row);
    }
    if (left > right) return;
    const box = { column: left, row: top, width: right + 1 - left, height: bottom + 1 - top };
    const read = await scene.read(box, bands, 0, signal);
    read.planes.forEach((plane, band) => {
      planes[band] ??= new (plane.constructor as new (length: number) => Samples)(valid.length);
    });
    for (let index = 0; index < count; index++) {
      if (columns[index]! < 0) continue;
      const from = (rows[index]! - top) * box.width + columns[index]! - left;
      const row = part.row - window.row + Math.floor(index / part.width);
      const to = row * window.width + part.column - window.column + (index % part.width);
      valid[to] = read.valid[from]!;
      for (let band = 0; band < bands.length; band++) planes[band]![to] = read.planes[band]![from]!;
    }
  }

  return {
    header: {
      ...scene.header,
      grid,
      overviews: [],
      groundSampleDistance: groundSampleDistance(grid),
      details: {
        ...scene.header.details,
        placed: `from ${groundControl.points.length} ground control points onto ${crs.name}, pixels of ${Number(pixelSize.toPrecision(6))}`,
      },
    },
    async read(window, bands, level, signal) {
      if (level !== 0) throw new RangeError(`level ${level} of 1`);
      const { width, height } = window;
      const valid = new Uint8Array(width * height);
      const planes: (Samples | null)[] = bands.map(() => null);
      const right = Math.min(window.column + width, grid.width);
      const bottom = Math.min(window.row + height, grid.height);
      for (let row = Math.max(0, window.row); row < bottom; ) {
        const nextRow = Math.min(bottom, (Math.floor(row / side) + 1) * side);
        for (let column = Math.max(0, window.column); column < right; ) {
          throwIfCancelled(signal);
          const nextColumn = Math.min(right, (Math.floor(column / side) + 1) * side);
          const part = { column, row, width: nextColumn - column, height: nextRow - row };
          await fill(part, window, bands, planes, valid, signal);
          column = nextColumn;
        }
        row = nextRow;
      }
      // Where nothing of the source was met, an empty read tells the sample type.
      if (planes.includes(null)) {
        const empty = await scene.read({ column: 0, row: 0, width: 1, height: 1 }, bands, 0, signal);
        empty.planes.forEach((plane, band) => {
          planes[band] ??= new (plane.constructor as new (length: number) => Samples)(valid.length);
        });
      }
      return { width, height, planes: planes as Samples[], valid };
    },
  };
}

/** Value at pixel (x, y) of a square, linear between its nodes. */
function between(values: Float64Array, x: number, y: number): number {
  const shareX = (x % spacing) / spacing;
  const shareY = (y % spacing) / spacing;
  const at = ((y / spacing) | 0) * nodes + ((x / spacing) | 0);
  const upper = values[at]! + (values[at + 1]! - values[at]!) * shareX;
  const lower = values[at + nodes]! + (values[at + nodes + 1]! - values[at + nodes]!) * shareX;
  return upper + (lower - upper) * shareY;
}

function zoneOf(scene: Pick<Scene, 'header'>, mapping: GroundMapping, crs: Crs): Crs {
  const { width, height } = scene.header.grid;
  const centre = toOwnGeographic(crs)?.(...mapping.toGround(width / 2, height / 2));
  if (centre === undefined || !centre.every(Number.isFinite))
    throw noPlace(scene, 'lies nowhere on the globe');
  const longitude = ((((centre[0] + 180) % 360) + 360) % 360) - 180;
  const zone = Math.min(60, Math.floor((longitude + 180) / 6) + 1);
  const found = findEpsg((centre[1] < 0 ? 32_700 : 32_600) + zone);
  if (found === null) throw noPlace(scene, 'lies in no UTM zone');
  return found;
}

function gridOf(
  scene: Pick<Scene, 'header'>,
  toTarget: (x: number, y: number) => [number, number],
  crs: Crs,
  pixelSize: number,
): Grid {
  const [left, bottom, right, top] = boxAround(
    gridOutline(scene.header.grid).map(([x, y]) => toTarget(x, y)),
  );
  // Whole multiples of the pixel: scenes of one zone and pixel size share one grid.
  const x = Math.floor(left / pixelSize);
  const y = Math.ceil(top / pixelSize);
  const columns = Math.ceil(right / pixelSize) - x;
  const rows = y - Math.floor(bottom / pixelSize);
  if (!(columns >= 1 && rows >= 1 && columns <= largestSide && rows <= largestSide))
    throw noPlace(scene, `would take ${columns} × ${rows} pixels in ${crs.name}`);
  return {
    width: columns,
    height: rows,
    transform: [x * pixelSize, pixelSize, 0, y * pixelSize, 0, -pixelSize],
    crs,
  };
}

function noPlace({ header }: Pick<Scene, 'header'>, why: string): Problem {
  return new Problem(
    'scene/no-place',
    `${header.path} ${why}.`,
    'Give the file a georeference first, for example with gdalwarp.',
  );
}
