import fc from 'fast-check';
import type { ClassStrip } from '../../../src/worker/classmap/class-strip.ts';
import { type TracedPolygon, Tracer } from '../../../src/worker/vector/trace.ts';

/** A class map in memory, `classes[row · width + column]`. */
export interface ClassMap {
  width: number;
  height: number;
  classes: Uint8Array;
}

/** From rows of digits; spaces are ignored. */
export function drawn(...rows: string[]): ClassMap {
  const lines = rows.map((row) => row.replaceAll(' ', ''));
  return {
    width: lines[0]!.length,
    height: lines.length,
    classes: Uint8Array.from(lines.join(''), Number),
  };
}

/** Seeded uniform numbers in [0, 1) (mulberry32). */
export function random(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Every pixel its own draw from `classCount` ids, 0 included. */
export function noiseMap(width: number, height: number, classCount: number, seed: number): ClassMap {
  const next = random(seed);
  return {
    width,
    height,
    classes: Uint8Array.from({ length: width * height }, () => Math.floor(next() * classCount)),
  };
}

/** Smooth blobs: sums of a few waves, cut into `classCount` levels, with a speckle of noise. */
export function blobMap(
  width: number,
  height: number,
  classCount: number,
  seed: number,
  speckle = 0.01,
): ClassMap {
  const next = random(seed);
  const waves = Array.from({ length: 6 }, () => ({
    x: (next() - 0.5) * 0.6,
    y: (next() - 0.5) * 0.6,
    phase: next() * 7,
  }));
  const classes = new Uint8Array(width * height);
  for (let row = 0; row < height; row++) {
    for (let column = 0; column < width; column++) {
      let sum = 0;
      for (const wave of waves) sum += Math.sin(wave.x * column + wave.y * row + wave.phase);
      const level = Math.floor(((sum + 6) / 12) * classCount * 2) % classCount;
      classes[row * width + column] = next() < speckle ? Math.floor(next() * classCount) : level;
    }
  }
  return { width, height, classes };
}

/** Small random maps, from noise to blocks, for laws. */
export function classMaps(largest = 12, classCount = 4): fc.Arbitrary<ClassMap> {
  return fc
    .tuple(
      fc.integer({ min: 1, max: largest }),
      fc.integer({ min: 1, max: largest }),
      fc.integer({ min: 2, max: classCount }),
    )
    .chain(([width, height, count]) =>
      fc
        .array(fc.integer({ min: 0, max: count - 1 }), {
          minLength: width * height,
          maxLength: width * height,
        })
        .map((values) => ({ width, height, classes: Uint8Array.from(values) })),
    );
}

/** The map as strips of the given height; every strip has its own arrays. */
export async function* stripsOf(
  map: ClassMap,
  rows: number,
  confidence?: Uint8Array,
): AsyncGenerator<ClassStrip> {
  for (let firstRow = 0; firstRow < map.height; firstRow += rows) {
    const end = Math.min(firstRow + rows, map.height);
    const strip: ClassStrip = {
      firstRow,
      rows: end - firstRow,
      width: map.width,
      classes: map.classes.slice(firstRow * map.width, end * map.width),
    };
    if (confidence) strip.confidence = confidence.slice(firstRow * map.width, end * map.width);
    yield strip;
  }
}

export function trace(map: ClassMap, confidence: Uint8Array | null = null): TracedPolygon[] {
  const tracer = new Tracer(map.width);
  for (let row = 0; row < map.height; row++) {
    tracer.addRow(map.classes, row * map.width, confidence, null, 0);
  }
  tracer.finish(null, 0);
  return tracer.take();
}

/** Even-odd scanline fill at pixel centres, polygon by polygon; a pixel filled twice becomes 255. */
export function rasterise(polygons: readonly TracedPolygon[], width: number, height: number): Uint8Array {
  const classes = new Uint8Array(width * height);
  for (const polygon of polygons) {
    const crossings: number[][] = Array.from({ length: height }, () => []);
    for (const ring of polygon.rings) {
      for (let k = 0; k < ring.length; k += 2) {
        const x = ring[k]!;
        const y = ring[k + 1]!;
        const nextX = ring[(k + 2) % ring.length]!;
        const nextY = ring[(k + 3) % ring.length]!;
        for (let row = Math.min(y, nextY); row < Math.max(y, nextY); row++) {
          crossings[row]!.push(x + ((row + 0.5 - y) * (nextX - x)) / (nextY - y));
        }
      }
    }
    for (let row = 0; row < height; row++) {
      const line = crossings[row]!.sort((p, q) => p - q);
      for (let k = 0; k < line.length; k += 2) {
        for (let column = Math.ceil(line[k]! - 0.5); column < line[k + 1]! - 0.5; column++) {
          const at = row * width + column;
          classes[at] = classes[at] === 0 ? polygon.classId : 255;
        }
      }
    }
  }
  return classes;
}

/** Pieces of the map by flood fill: `piece[pixel]` (-1 for class 0) and their pixel counts. */
export function floodPieces(map: ClassMap): { piece: Int32Array; sizes: number[] } {
  const { width, height, classes } = map;
  const piece = new Int32Array(width * height).fill(-1);
  const sizes: number[] = [];
  for (let seed = 0; seed < piece.length; seed++) {
    if (classes[seed] === 0 || piece[seed]! >= 0) continue;
    const label = sizes.length;
    const stack = [seed];
    piece[seed] = label;
    let size = 0;
    while (stack.length > 0) {
      const at = stack.pop()!;
      size++;
      for (const neighbour of neighbours(at, width, height)) {
        if (piece[neighbour]! < 0 && classes[neighbour] === classes[seed]) {
          piece[neighbour] = label;
          stack.push(neighbour);
        }
      }
    }
    sizes.push(size);
  }
  return { piece, sizes };
}

/** The pixels that share an edge with `at`. */
export function neighbours(at: number, width: number, height: number): number[] {
  const column = at % width;
  const found: number[] = [];
  if (at >= width) found.push(at - width);
  if (at < width * (height - 1)) found.push(at + width);
  if (column > 0) found.push(at - 1);
  if (column < width - 1) found.push(at + 1);
  return found;
}
