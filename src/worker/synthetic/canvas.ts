/** A scene while it is painted. Planes are `[height · width]`; colours are display values 0-1, before light and camera. */
export interface Canvas {
  width: number;
  height: number;
  /** Metres per pixel. */
  resolution: number;
  red: Float32Array;
  green: Float32Array;
  blue: Float32Array;
  /** Kind ids of `classes.ts`. */
  kinds: Uint8Array;
  /** Metres above the ground, for shadows and for what hides what. */
  elevation: Float32Array;
}

export function createCanvas(width: number, height: number, resolution: number): Canvas {
  const length = width * height;
  return {
    width,
    height,
    resolution,
    red: new Float32Array(length),
    green: new Float32Array(length),
    blue: new Float32Array(length),
    kinds: new Uint8Array(length),
    elevation: new Float32Array(length),
  };
}

/** Kind at a place in metres, 0 outside the scene. */
export function kindAt(canvas: Canvas, x: number, y: number): number {
  const column = Math.floor(x / canvas.resolution);
  const row = Math.floor(y / canvas.resolution);
  if (column < 0 || row < 0 || column >= canvas.width || row >= canvas.height) return 0;
  return canvas.kinds[row * canvas.width + column]!;
}

/** A rectangle lying at any angle: centre in metres, unit vector of its length, half length and half width. */
export interface Box {
  x: number;
  y: number;
  ux: number;
  uy: number;
  halfLength: number;
  halfWidth: number;
}

/**
 * Calls `paint(index, u, v)` for every pixel whose centre lies in the box, with u along and v across it in metres from
 * its centre.
 */
export function forEachInBox(
  canvas: Canvas,
  box: Box,
  paint: (index: number, u: number, v: number) => void,
): void {
  const { resolution, width, height } = canvas;
  const reachX = Math.abs(box.ux) * box.halfLength + Math.abs(box.uy) * box.halfWidth;
  const reachY = Math.abs(box.uy) * box.halfLength + Math.abs(box.ux) * box.halfWidth;
  const firstRow = Math.max(0, Math.floor((box.y - reachY) / resolution));
  const lastRow = Math.min(height - 1, Math.ceil((box.y + reachY) / resolution));
  const firstColumn = Math.max(0, Math.floor((box.x - reachX) / resolution));
  const lastColumn = Math.min(width - 1, Math.ceil((box.x + reachX) / resolution));
  for (let row = firstRow; row <= lastRow; row++) {
    const dy = (row + 0.5) * resolution - box.y;
    for (let column = firstColumn; column <= lastColumn; column++) {
      const dx = (column + 0.5) * resolution - box.x;
      const u = dx * box.ux + dy * box.uy;
      const v = dy * box.ux - dx * box.uy;
      if (Math.abs(u) <= box.halfLength && Math.abs(v) <= box.halfWidth) paint(row * width + column, u, v);
    }
  }
}

/** Whether `test` holds for the kind at the corners, the edge midpoints and the centre of a box. */
export function everyProbe(canvas: Canvas, box: Box, test: (kind: number) => boolean): boolean {
  for (let i = -1; i <= 1; i++) {
    for (let j = -1; j <= 1; j++) {
      const u = i * box.halfLength;
      const v = j * box.halfWidth;
      if (!test(kindAt(canvas, box.x + u * box.ux - v * box.uy, box.y + u * box.uy + v * box.ux)))
        return false;
    }
  }
  return true;
}
