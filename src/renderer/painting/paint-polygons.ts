import type { TilePolygons } from './tile-polygons.ts';

/** How the polygons of a layer are drawn. */
export interface PolygonLook {
  /** Classes that are shown, `#rrggbb`. */
  colours: readonly (readonly [classId: number, colour: string])[];
  /** Least confidence and square metres. */
  confidence: number;
  area: number;
  /** Only these, outlined, whatever their class; null: all that pass. */
  selected: ReadonlySet<number> | null;
}

/** What canvases on and off the screen share. */
export type Canvas2d = Pick<
  CanvasRenderingContext2D,
  'beginPath' | 'moveTo' | 'lineTo' | 'closePath' | 'fill' | 'stroke'
> & { fillStyle: unknown; strokeStyle: unknown; lineWidth: number; lineJoin: CanvasLineJoin };

/** Polygons of one path: a longer one takes more than its share of time to fill. */
const polygonsOfPath = 256;
/** Up to so many pixels a polygon is drawn as a spot in its colour: its outline would be all that is seen. */
const spotPixels = 3;

const selectedLook = { fill: 'rgba(255, 212, 0, 0.25)', spot: '#ffd400', stroke: '#ffd400', width: 2.5 };

/**
 * Draws a tile's polygons on a canvas of `size` pixels a side, lines as wide as `density` pixels: class by class, each
 * with a see-through fill and an outline in its colour.
 */
export function paintPolygons(
  context: Canvas2d,
  polygons: TilePolygons,
  look: PolygonLook,
  size: number,
  density: number,
): void {
  const scale = size / polygons.extent;
  context.lineJoin = 'round';
  if (look.selected) {
    const { selected } = look;
    const chosen = (index: number) => selected.has(polygons.fids[index]!);
    paintClass(context, polygons, chosen, selectedLook, scale, density);
    return;
  }
  const { confidence, area } = look;
  for (const [classId, colour] of look.colours) {
    const chosen = (index: number) =>
      polygons.classIds[index] === classId &&
      polygons.confidences[index]! >= confidence &&
      polygons.areas[index]! >= area;
    paintClass(
      context,
      polygons,
      chosen,
      { fill: `${colour}b3`, spot: colour, stroke: colour, width: 1 },
      scale,
      density,
    );
  }
}

function paintClass(
  context: Canvas2d,
  polygons: TilePolygons,
  chosen: (index: number) => boolean,
  look: typeof selectedLook,
  scale: number,
  density: number,
): void {
  const { count, lastRings, ringEnds, points } = polygons;
  const small = (spotPixels * density) / scale;
  context.strokeStyle = look.stroke;
  context.lineWidth = look.width * density;
  for (const spots of [true, false]) {
    context.fillStyle = spots ? look.spot : look.fill;
    let held = 0;
    const draw = () => {
      if (held === 0) return;
      context.fill();
      if (!spots) context.stroke();
      held = 0;
    };
    for (let index = 0; index < count; index++) {
      if (!chosen(index)) continue;
      const firstRing = index === 0 ? 0 : lastRings[index - 1]!;
      const start = firstRing === 0 ? 0 : ringEnds[firstRing - 1]!;
      if (isSmall(points, start, ringEnds[firstRing] ?? start, small) !== spots) continue;
      if (held === 0) context.beginPath();
      let at = start;
      for (let ring = firstRing; ring < lastRings[index]!; ring++) {
        const end = ringEnds[ring]!;
        context.moveTo(points[at]! * scale, points[at + 1]! * scale);
        for (at += 2; at < end; at += 2) context.lineTo(points[at]! * scale, points[at + 1]! * scale);
        context.closePath();
      }
      if (++held === polygonsOfPath) draw();
    }
    draw();
  }
}

/** Whether the exterior ring is at most `most` tile units wide and high. */
function isSmall(points: Int16Array, start: number, end: number, most: number): boolean {
  let [left, top, right, bottom] = [Infinity, Infinity, -Infinity, -Infinity];
  for (let at = start; at < end; at += 2) {
    const x = points[at]!;
    const y = points[at + 1]!;
    if (x < left) left = x;
    if (x > right) right = x;
    if (y < top) top = y;
    if (y > bottom) bottom = y;
    if (right - left > most || bottom - top > most) return false;
  }
  return true;
}
