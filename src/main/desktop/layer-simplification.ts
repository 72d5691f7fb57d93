import type { Crs } from '../../worker/raster/crs.ts';
import { simplifyPolygons } from '../../worker/vector/simplify-polygons.ts';
import type { ProjectStore } from '../project/project-store.ts';
import type { Box } from '../rpc/base.ts';

/** More polygons are not looked at for a preview. */
const mostPolygons = 4000;

/** The polygons that touch a box of the layer's system, simplified together as an export would, with both numbers of corners. */
export async function simplifiedInBox(
  store: ProjectStore,
  table: string,
  box: Readonly<Box>,
  metres: number,
  signal?: AbortSignal,
): Promise<{ before: number; after: number; polygons: Float64Array[][] }> {
  const fids = store.polygons.inBox(table, box, { confidence: 0, area: 0 }).slice(0, mostPolygons);
  const rings = [...store.polygons.polygons(table, fids)].map((polygon) => polygon.rings);
  const tolerance = metres * unitsPerMetre(store.polygons.crs(table));
  const polygons = tolerance > 0 ? simplifyPolygons(rings, tolerance, signal) : rings;
  return { before: cornersOf(rings), after: cornersOf(polygons), polygons };
}

/** Of a layer's coordinates; degrees are taken along a meridian. */
export function unitsPerMetre(crs: Crs | null): number {
  if (crs === null) return 1;
  return crs.kind === 'geographic' ? 1 / 111_195 : 1 / crs.metresPerUnit;
}

function cornersOf(polygons: readonly (readonly Float64Array[])[]): number {
  let corners = 0;
  for (const rings of polygons) for (const ring of rings) corners += (ring.length >> 1) - 1;
  return corners;
}
