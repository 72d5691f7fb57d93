import type { Affine } from '../raster/affine.ts';

/**
 * Rings of pixel corners as closed rings in the coordinates of the transform: x, y, …, first point repeated. Exteriors
 * come out counter-clockwise and holes clockwise in a system with y up, also where the transform mirrors the image.
 */
export function georeferenceRings(rings: readonly Int32Array[], transform: Affine): Float64Array[] {
  // The usual transform turns rows into falling y; any other sense turns the rings around.
  const [x0, xColumn, xRow, y0, yColumn, yRow] = transform;
  const mirrored = xColumn * yRow - xRow * yColumn > 0;
  return rings.map((ring) => {
    const corners = ring.length / 2;
    const closed = new Float64Array(ring.length + 2);
    for (let k = 0; k <= corners; k++) {
      const corner = mirrored ? (corners - k) % corners : k % corners;
      const column = ring[2 * corner]!;
      const row = ring[2 * corner + 1]!;
      closed[2 * k] = x0 + column * xColumn + row * xRow;
      closed[2 * k + 1] = y0 + column * yColumn + row * yRow;
    }
    return closed;
  });
}
