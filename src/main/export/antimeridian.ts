/**
 * Cuts polygons at the antimeridian (RFC 7946, 3.1.9). Rings come in continuous longitudes: a ring that crosses runs
 * on beyond ±180, and one around a pole ends 360° from where it began. All of a polygon's rings are cut together: each
 * meridian 180 + 360·k breaks them into pieces, and along the cut the pieces are joined again in pairs from south to
 * north, which is right for holes and poles alike.
 */

/** Degrees by which a ring may overstep ±180 and still count as touching it: what GeoJSON's decimals do not show. */
const touch = 5e-8;

/**
 * Polygons within [-180, 180] that cover the one given. `rings` are lon, lat, …, closed up to a multiple of 360° in
 * longitude; the exterior first, counter-clockwise. Every result is again the exterior first. A polygon that stays
 * within one turn is only shifted.
 */
export function cutAtAntimeridian(rings: readonly Float64Array[]): Float64Array[][] {
  const turn = commonTurn(rings);
  if (turn !== null) return [turn === 0 ? [...rings] : rings.map((ring) => shifted(ring, -360 * turn))];

  const closed: Float64Array[] = [];
  const pieces: number[][] = [];
  let winding = 0;
  for (const ring of rings) {
    winding += Math.round((ring[ring.length - 2] - ring[0]) / 360);
    const parts = breakRing(ring);
    if (parts.length === 1 && parts[0].whole) closed.push(Float64Array.from(parts[0].points));
    else for (const part of parts) pieces.push(part.points);
  }
  // A polygon around a pole has the pole's parallel, a line in longitude and latitude, as a further border.
  if (winding > 0) pieces.push([180, 90, -180, 90]);
  if (winding < 0) pieces.push([-180, -90, 180, -90]);
  for (const ring of joinPieces(pieces)) closed.push(ring);
  return assemble(closed);
}

/** Twice the signed area of a closed ring; positive if counter-clockwise. */
export function doubleArea(ring: ArrayLike<number>): number {
  let sum = 0;
  const x0 = ring[0];
  const y0 = ring[1];
  for (let i = 2; i + 3 < ring.length; i += 2)
    sum += (ring[i] - x0) * (ring[i + 3] - y0) - (ring[i + 2] - x0) * (ring[i + 1] - y0);
  return sum;
}

/** Number of the turn that holds all rings, null if none does. Holes may lie a whole turn beside their exterior. */
function commonTurn(rings: readonly Float64Array[]): number | null {
  let common: number | null = null;
  for (const ring of rings) {
    let min = Number.POSITIVE_INFINITY;
    let max = Number.NEGATIVE_INFINITY;
    for (let i = 0; i < ring.length; i += 2) {
      if (ring[i] < min) min = ring[i];
      if (ring[i] > max) max = ring[i];
    }
    const turn = Math.round((min + max) / 2 / 360);
    if (min < 360 * turn - 180 - touch || max > 360 * turn + 180 + touch) return null;
    if (Math.abs(ring[ring.length - 2] - ring[0]) > 180) return null;
    if (common !== null && turn !== common) return null;
    common = turn;
  }
  return common;
}

function shifted(ring: Float64Array, by: number): Float64Array {
  const result = ring.slice();
  for (let i = 0; i < result.length; i += 2) result[i] += by;
  return result;
}

/** The turn that a longitude belongs to; a cut meridian belongs to the turn east of it. */
function turnOf(longitude: number): number {
  return Math.floor((longitude + 180) / 360);
}

interface Part {
  /** The whole ring, untouched by any cut. */
  whole: boolean;
  points: number[];
}

/** The ring's pieces between cuts, in its direction, each shifted into [-180, 180]; ends lie on -180 or 180. */
function breakRing(ring: Float64Array): Part[] {
  const parts: Part[] = [];
  let turn = turnOf(ring[0]);
  let points: number[] = [];
  for (let i = 0; i + 1 < ring.length; i += 2) {
    const x = ring[i];
    const y = ring[i + 1];
    while (turnOf(x) !== turn) {
      const east = turnOf(x) > turn;
      const cut = 360 * turn + (east ? 180 : -180);
      const fromX = ring[i - 2];
      const fromY = ring[i - 1];
      const latitude = x === fromX ? y : fromY + ((cut - fromX) / (x - fromX)) * (y - fromY);
      pushPoint(points, east ? 180 : -180, latitude);
      parts.push({ whole: false, points });
      turn += east ? 1 : -1;
      points = [east ? -180 : 180, latitude];
    }
    pushPoint(points, x - 360 * turn, y);
  }
  if (parts.length === 0) return [{ whole: true, points }];
  // The ring began inside a piece: its first and last pieces are one.
  const first = parts[0].points;
  parts[0] = { whole: false, points: points.concat(first.slice(2)) };
  // A vertex that only touches a cut leaves a piece of one point.
  return parts.filter((part) => part.points.length > 2);
}

function pushPoint(points: number[], x: number, y: number): void {
  const length = points.length;
  if (length >= 2 && points[length - 2] === x && points[length - 1] === y) return;
  points.push(x, y);
}

/** Joins open pieces into closed rings along both cuts. Degenerate rings are left out. */
function joinPieces(pieces: readonly number[][]): Float64Array[] {
  const next = new Int32Array(pieces.length).fill(-1);
  for (const side of [-180, 180]) {
    const ends: { latitude: number; piece: number; arrives: boolean }[] = [];
    pieces.forEach((points, piece) => {
      if (points[0] === side) ends.push({ latitude: points[1], piece, arrives: false });
      if (points[points.length - 2] === side)
        ends.push({ latitude: points[points.length - 1], piece, arrives: true });
    });
    // The interior is left of every piece: at 180 a stretch of it runs from an arrival north to a departure, at -180
    // from a departure north to an arrival. Ends at one latitude are taken in that order.
    const lowerArrives = side === 180;
    ends.sort(
      (a, b) =>
        a.latitude - b.latitude || Number(b.arrives === lowerArrives) - Number(a.arrives === lowerArrives),
    );
    for (let i = 0; i + 1 < ends.length; i += 2) {
      const [one, other] = ends[i].arrives ? [ends[i], ends[i + 1]] : [ends[i + 1], ends[i]];
      if (one.arrives && !other.arrives) next[one.piece] = other.piece;
    }
  }
  const done = new Uint8Array(pieces.length);
  const rings: Float64Array[] = [];
  for (let start = 0; start < pieces.length; start++) {
    if (done[start]) continue;
    const points: number[] = [];
    let piece = start;
    while (piece !== -1 && !done[piece]) {
      done[piece] = 1;
      for (let i = 0; i < pieces[piece].length; i += 2)
        pushPoint(points, pieces[piece][i], pieces[piece][i + 1]);
      piece = next[piece];
    }
    if (piece !== start) continue;
    pushPoint(points, points[0], points[1]);
    const ring = Float64Array.from(points);
    if (ring.length >= 8 && doubleArea(ring) !== 0) rings.push(ring);
  }
  return rings;
}

/** Polygons from closed rings: those counter-clockwise are exteriors, each hole goes to the smallest around it. */
function assemble(rings: readonly Float64Array[]): Float64Array[][] {
  const areas = rings.map(doubleArea);
  const exteriors = rings.map((_, index) => index).filter((index) => areas[index] > 0);
  exteriors.sort((a, b) => areas[a] - areas[b]);
  const polygons = new Map(exteriors.map((index) => [index, [rings[index]]]));
  rings.forEach((ring, index) => {
    if (areas[index] >= 0) return;
    const owner = exteriors.find((exterior) => surrounds(rings[exterior], ring));
    if (owner !== undefined) polygons.get(owner)?.push(ring);
  });
  return [...polygons.values()];
}

/** Whether `inner`, which does not cross `outer`, lies inside it. Points on the border are undecided: the next is asked. */
function surrounds(outer: Float64Array, inner: Float64Array): boolean {
  for (let p = 0; p < inner.length; p += 2) {
    const x = inner[p];
    const y = inner[p + 1];
    let inside = false;
    let onBorder = false;
    for (let i = 0; i + 3 < outer.length; i += 2) {
      const x1 = outer[i];
      const y1 = outer[i + 1];
      const x2 = outer[i + 2];
      const y2 = outer[i + 3];
      const side = (x2 - x1) * (y - y1) - (y2 - y1) * (x - x1);
      if (
        side === 0 &&
        Math.min(x1, x2) <= x &&
        x <= Math.max(x1, x2) &&
        Math.min(y1, y2) <= y &&
        y <= Math.max(y1, y2)
      ) {
        onBorder = true;
        break;
      }
      if (y1 > y !== y2 > y && x < x1 + ((y - y1) / (y2 - y1)) * (x2 - x1)) inside = !inside;
    }
    if (!onBorder) return inside;
  }
  return true;
}
