/** x, y in metres, y downwards. */
export type Point = readonly [number, number];

/** What runs along an edge of a parcel. The parcels on both sides share the object. */
export interface Border {
  kind: 'none' | 'fence' | 'hedge' | 'margin' | 'track' | 'street' | 'road' | 'highway';
  /** Metres from the edge that the border takes of the parcel on either side. */
  halfWidth: number;
}

export function isRoad(border: Border): boolean {
  return (
    border.kind === 'highway' || border.kind === 'road' || border.kind === 'street' || border.kind === 'track'
  );
}

/** A convex cell of the partition: corner i to corner i + 1 runs along border i; the interior is on the left of every edge. */
export interface Cell {
  corners: Point[];
  borders: Border[];
}

/** A binary tree of straight cuts; every leaf is a cell. */
export type Partition = { cell: Cell; leaf: number } | Cut;

export interface Cut {
  /** Points with nx·x + ny·y < c are in `inside`. */
  nx: number;
  ny: number;
  c: number;
  inside: Partition;
  outside: Partition;
}

/** Square metres. */
export function cellArea(cell: Cell): number {
  let sum = 0;
  for (let i = 0; i < cell.corners.length; i++) {
    const [x0, y0] = cell.corners[i]!;
    const [x1, y1] = cell.corners[(i + 1) % cell.corners.length]!;
    sum += x0 * y1 - x1 * y0;
  }
  return sum / 2;
}

export function cellCentre(cell: Cell): Point {
  let x = 0;
  let y = 0;
  for (const corner of cell.corners) {
    x += corner[0];
    y += corner[1];
  }
  return [x / cell.corners.length, y / cell.corners.length];
}

/** The direction (unit vector) of a cell's longest edge, and the cell's extents along and across it, metres. */
export function cellAxes(cell: Cell): { ux: number; uy: number; along: number; across: number } {
  let ux = 1;
  let uy = 0;
  let longest = 0;
  for (let i = 0; i < cell.corners.length; i++) {
    const [x0, y0] = cell.corners[i]!;
    const [x1, y1] = cell.corners[(i + 1) % cell.corners.length]!;
    const length = Math.hypot(x1 - x0, y1 - y0);
    if (length > longest) {
      longest = length;
      ux = (x1 - x0) / length;
      uy = (y1 - y0) / length;
    }
  }
  const [a0, a1] = extent(cell, ux, uy);
  const [b0, b1] = extent(cell, -uy, ux);
  return { ux, uy, along: a1 - a0, across: b1 - b0 };
}

/** Least and greatest value of ux·x + uy·y over a cell. */
export function extent(cell: Cell, ux: number, uy: number): [number, number] {
  let low = Number.POSITIVE_INFINITY;
  let high = Number.NEGATIVE_INFINITY;
  for (const [x, y] of cell.corners) {
    const value = ux * x + uy * y;
    if (value < low) low = value;
    if (value > high) high = value;
  }
  return [low, high];
}

/**
 * The parts of a cell with nx·x + ny·y below and above `c`; the new edge gets `border` on both sides. A part is null
 * where the line misses the cell.
 */
export function cutCell(
  cell: Cell,
  nx: number,
  ny: number,
  c: number,
  border: Border,
): { inside: Cell | null; outside: Cell | null } {
  return {
    inside: clip(cell, nx, ny, c, border),
    outside: clip(cell, -nx, -ny, -c, border),
  };
}

function clip(cell: Cell, nx: number, ny: number, c: number, border: Border): Cell | null {
  const corners: Point[] = [];
  const borders: Border[] = [];
  const count = cell.corners.length;
  for (let i = 0; i < count; i++) {
    const from = cell.corners[i]!;
    const to = cell.corners[(i + 1) % count]!;
    const d0 = nx * from[0] + ny * from[1] - c;
    const d1 = nx * to[0] + ny * to[1] - c;
    const keeps = d0 < 0;
    if (keeps) {
      corners.push(from);
      borders.push(cell.borders[i]!);
    }
    if (keeps !== d1 < 0) {
      const t = d0 / (d0 - d1);
      corners.push([from[0] + t * (to[0] - from[0]), from[1] + t * (to[1] - from[1])]);
      // Leaving the half-plane starts the new edge; coming back continues the old one.
      borders.push(keeps ? border : cell.borders[i]!);
    }
  }
  return corners.length >= 3 ? { corners, borders } : null;
}
