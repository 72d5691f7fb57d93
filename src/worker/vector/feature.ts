/** A traced piece of the class map, 4-connected, in the coordinates of the scene's CRS. */
export interface PolygonFeature {
  /** 1-based in the order of the prompts; 0 is never traced. */
  classId: number;
  /** Mean probability of the winning class over the polygon's pixels, 0-1. */
  confidence: number;
  /** Square metres: ellipsoidal for geographic systems and Web Mercator, planar otherwise; pixel² without a CRS. */
  area: number;
  /** Metres (pixels without a CRS), all rings. */
  perimeter: number;
  /** x, y, x, y, … closed (last point = first). Ring 0 is the exterior, counter-clockwise; holes are clockwise. */
  rings: Float64Array[];
}
