import { Problem } from '../report/problem.ts';
import { isInside, PlanarEdges, polygonsOf, signedArea } from './planar-rings.ts';

/**
 * The pieces of a polygon along a line (x, y, x, y, …), the largest first, each as closed rings. The pieces share the
 * line's corners and cuts exactly. Ends of the line that lead nowhere are ignored. Throws `edit/no-split` where the
 * line separates nothing.
 */
export function splitPolygon(rings: readonly Float64Array[], line: Float64Array): Float64Array[][] {
  if (line.length < 4 || line.length % 2 !== 0 || !line.every(Number.isFinite))
    throw new Problem('edit/line', 'The line needs two points at least.', 'Draw it again.');
  const planar = PlanarEdges.around([rings]);
  const border = rings.flatMap((ring) => planar.edges(ring));
  const cut = planar.edges(line);
  for (const { x, y } of [...planar.crossings(border, cut), ...planar.crossings(cut, cut)])
    planar.vertex(x, y);
  const noded = planar.node(border);
  const onBorder = new Set<string>();
  for (let e = 0; e < noded.length; e += 2) onBorder.add(undirected(noded[e]!, noded[e + 1]!));
  const nodedCut = planar.node(cut);
  const inner = new Map<string, [number, number]>();
  for (let e = 0; e < nodedCut.length; e += 2) {
    const [from, to] = [nodedCut[e]!, nodedCut[e + 1]!];
    const name = undirected(from, to);
    if (onBorder.has(name)) continue;
    const x = (planar.x[from]! + planar.x[to]!) / 2;
    const y = (planar.y[from]! + planar.y[to]!) / 2;
    if (isInside(rings, x, y)) inner.set(name, [from, to]);
  }
  trimEnds(inner, noded);
  for (;;) {
    const both = [...inner.values()].flatMap(([from, to]) => [from, to, to, from]);
    const pairs = [...noded, ...both];
    const cycles = planar.cycles(pairs);
    // A cut with the same piece on both sides separates nothing: it goes, and may leave others without sense.
    const pieceOf = new Map<number, number>();
    cycles.forEach(({ edges }, piece) => {
      for (const e of edges) pieceOf.set(e, piece);
    });
    let idle = 0;
    for (let e = noded.length / 2; e < pairs.length / 2; e += 2)
      if (pieceOf.get(e) === pieceOf.get(e + 1)) {
        inner.delete(undirected(pairs[2 * e]!, pairs[2 * e + 1]!));
        idle++;
      }
    if (idle > 0) continue;
    const pieces = polygonsOf(planar.rings(pairs));
    if (pieces.length < 2)
      throw new Problem(
        'edit/no-split',
        'The line does not divide the polygon.',
        'Draw it across, from outside to outside.',
      );
    return pieces.sort((a, b) => netArea(b) - netArea(a));
  }
}

/** Takes away cuts that end inside, one after the other. */
function trimEnds(inner: Map<string, [number, number]>, border: readonly number[]): void {
  const held = new Set(border);
  for (let changed = true; changed; ) {
    changed = false;
    const degree = new Map<number, number>();
    for (const ends of inner.values()) for (const v of ends) degree.set(v, (degree.get(v) ?? 0) + 1);
    for (const [name, ends] of inner)
      if (ends.some((v) => degree.get(v) === 1 && !held.has(v))) {
        inner.delete(name);
        changed = true;
      }
  }
}

function undirected(a: number, b: number): string {
  return a < b ? `${a},${b}` : `${b},${a}`;
}

function netArea(rings: readonly Float64Array[]): number {
  return rings.reduce((sum, ring) => sum + signedArea(ring), 0);
}
