import { Problem } from '../report/problem.ts';
import { PlanarEdges, polygonsOf, signedArea } from './planar-rings.ts';

/**
 * One polygon of several that share borders, as closed rings (exterior first, counter-clockwise; holes clockwise).
 * Borders run both ways and cancel (Weiler 1980's union of a partition). Corners stay where they were, so neighbours
 * still fit. Throws `edit/overlap` for polygons that overlap, `edit/not-adjacent` where the result would be in pieces.
 */
export function mergePolygons(polygons: readonly (readonly Float64Array[])[]): Float64Array[] {
  const planar = PlanarEdges.around(polygons);
  const pairs = polygons.flatMap((rings) => rings.flatMap((ring) => planar.edges(ring)));
  const border = cancel(planar.node(pairs), planar.x.length);
  if (planar.crossings(border, border).length > 0)
    throw new Problem(
      'edit/overlap',
      'The polygons overlap or cross themselves.',
      'Move their corners apart first.',
    );
  const merged = polygonsOf(planar.rings(border));
  if (merged.length !== 1)
    throw new Problem(
      'edit/not-adjacent',
      merged.length === 0 ? 'Nothing would be left.' : 'The polygons do not share a border all together.',
      'Choose polygons that lie side by side.',
    );
  return merged[0]!;
}

/**
 * A drawn polygon made sound: exterior counter-clockwise, holes clockwise, spikes gone, holes inside. Throws as
 * `mergePolygons` where it crosses itself or falls apart.
 */
export function soundPolygon(rings: readonly Float64Array[]): Float64Array[] {
  const oriented = rings.map((ring, index) => {
    const closed = closeRing(ring);
    return signedArea(closed) > 0 === (index === 0) ? closed : reversed(closed);
  });
  const sound = mergePolygons([oriented]);
  if (sound.length !== rings.length)
    throw new Problem(
      'edit/ring',
      'A ring of the polygon touches itself or another.',
      'Move its corners apart.',
    );
  return sound;
}

/** Edges that do not run the other way as well. */
function cancel(pairs: readonly number[], vertices: number): number[] {
  const counts = new Map<number, number>();
  for (let e = 0; e < pairs.length; e += 2) {
    const [from, to] = [pairs[e]!, pairs[e + 1]!];
    const opposite = to * vertices + from;
    const waiting = counts.get(opposite) ?? 0;
    if (waiting === 1) counts.delete(opposite);
    else if (waiting > 1) counts.set(opposite, waiting - 1);
    else counts.set(from * vertices + to, (counts.get(from * vertices + to) ?? 0) + 1);
  }
  const left: number[] = [];
  for (const [key, count] of counts) {
    if (count > 1)
      throw new Problem('edit/overlap', 'The polygons overlap.', 'Move their corners apart first.');
    left.push(Math.floor(key / vertices), key % vertices);
  }
  return left;
}

function closeRing(ring: Float64Array): Float64Array {
  const last = ring.length - 2;
  if (ring.length >= 4 && ring[0] === ring[last] && ring[1] === ring[last + 1]) return ring;
  return Float64Array.of(...ring, ring[0] ?? Number.NaN, ring[1] ?? Number.NaN);
}

function reversed(ring: Float64Array): Float64Array {
  const turned = new Float64Array(ring.length);
  for (let i = 0; i < ring.length; i += 2) {
    turned[i] = ring[ring.length - 2 - i]!;
    turned[i + 1] = ring[ring.length - 1 - i]!;
  }
  return turned;
}
