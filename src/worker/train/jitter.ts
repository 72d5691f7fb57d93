/**
 * SimFeatUp's jitter of an image or of its features: reflected margin, bilinear zoom about the origin, crop, mirror.
 * Everything is linear and separable, so a jitter is one matrix for the rows and one for the columns.
 */
export interface Jitter {
  /** Reflected pixels around the image. */
  margin: number;
  /** ≥ 1. */
  zoom: number;
  /** First row and column of the crop in the zoomed image. */
  row: number;
  column: number;
  /** Left and right exchanged. */
  mirrored: boolean;
}

/** A random jitter of an image of `side` pixels: margin 20; zoom 1 to 2 in every second one, as the paper's program. */
export function drawJitter(random: () => number, side: number): Jitter {
  const margin = Math.min(20, side - 1);
  const zoom = random() < 0.5 ? 1 + random() : 1;
  const room = Math.floor((side + 2 * margin) * zoom) - side;
  return {
    margin,
    zoom,
    row: Math.floor(random() * (room + 1)),
    column: Math.floor(random() * (room + 1)),
    mirrored: random() < 0.5,
  };
}

/** Matrices `[side, side]` such that the jittered image is `rows · image · columns`. */
export function jitterMatrices(jitter: Jitter, side: number): { rows: Float32Array; columns: Float32Array } {
  const rows = axisMatrix(side, jitter.margin, jitter.zoom, jitter.row, false);
  const across = axisMatrix(side, jitter.margin, jitter.zoom, jitter.column, jitter.mirrored);
  const columns = new Float32Array(side * side);
  for (let to = 0; to < side; to++)
    for (let from = 0; from < side; from++) columns[from * side + to] = across[to * side + from]!;
  return { rows, columns };
}

/** Row `to` holds the weights of the source pixels that make pixel `to`. */
function axisMatrix(
  side: number,
  margin: number,
  zoom: number,
  start: number,
  mirrored: boolean,
): Float32Array {
  const matrix = new Float32Array(side * side);
  const padded = side + 2 * margin;
  const reflected = (at: number) => {
    const inside = Math.abs(at - margin);
    return inside < side ? inside : 2 * (side - 1) - inside;
  };
  for (let to = 0; to < side; to++) {
    const zoomed = start + (mirrored ? side - 1 - to : to);
    const source = zoom > 1 ? Math.max(0, (zoomed + 0.5) / zoom - 0.5) : zoomed;
    const low = Math.min(Math.floor(source), padded - 1);
    const high = Math.min(low + 1, padded - 1);
    const share = source - low;
    matrix[to * side + reflected(low)]! += 1 - share;
    matrix[to * side + reflected(high)]! += share;
  }
  return matrix;
}

/** The matrix `[side, side]` of a Gaussian of 5 taps and deviation 1 with reflected ends. */
export function blurMatrix(side: number): Float32Array {
  const taps = [-2, -1, 0, 1, 2].map((at) => Math.exp(-(at * at) / 2));
  const sum = taps.reduce((total, tap) => total + tap);
  const matrix = new Float32Array(side * side);
  for (let to = 0; to < side; to++)
    taps.forEach((tap, at) => {
      const from = Math.abs(to + at - 2);
      matrix[to * side + (from < side ? from : 2 * (side - 1) - from)]! += tap / sum;
    });
  return matrix;
}

/** `rows · plane · columns` for every plane `[side, side]` of `planes`. */
export function jitterPlanes(
  planes: Float32Array,
  { rows, columns }: { rows: Float32Array; columns: Float32Array },
  side: number,
): Float32Array {
  const area = side * side;
  const out = new Float32Array(planes.length);
  const row = new Float64Array(side);
  const sum = new Float64Array(side);
  for (let plane = 0; plane < planes.length; plane += area) {
    for (let to = 0; to < side; to++) {
      row.fill(0);
      for (let from = 0; from < side; from++) {
        const weight = rows[to * side + from]!;
        if (weight === 0) continue;
        for (let column = 0; column < side; column++)
          row[column]! += weight * planes[plane + from * side + column]!;
      }
      sum.fill(0);
      for (let from = 0; from < side; from++) {
        const value = row[from]!;
        for (let column = 0; column < side; column++) sum[column]! += value * columns[from * side + column]!;
      }
      out.set(sum, plane + to * side);
    }
  }
  return out;
}
