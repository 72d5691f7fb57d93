import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Problem } from '../../../src/worker/report/problem.ts';
import { sieveStrips } from '../../../src/worker/vector/sieve.ts';
import {
  blobMap,
  type ClassMap,
  classMaps,
  drawn,
  floodPieces,
  neighbours,
  noiseMap,
  stripsOf,
} from './class-maps.ts';

async function sieve(map: ClassMap, minimumPixels: number, rows = map.height): Promise<Uint8Array> {
  const classes = new Uint8Array(map.width * map.height);
  let row = 0;
  for await (const strip of sieveStrips(stripsOf(map, rows), { minimumPixels })) {
    expect(strip.firstRow).toBe(row);
    classes.set(strip.classes, row * map.width);
    row += strip.rows;
  }
  expect(row).toBe(map.height);
  return classes;
}

/** The rule as it is stated, on the whole map, with a fresh flood fill for every question. */
function sieveBruteForce(map: ClassMap, minimum: number): Uint8Array {
  const { width, height } = map;
  const classes = map.classes.slice();
  for (let row = 0; row < height; row++) {
    const visible = Math.min(row + 2, height);
    const read = (): { piece: Int32Array; sizes: number[] } =>
      floodPieces({ width, height: visible, classes: classes.subarray(0, visible * width) });
    const bottomOf = (piece: Int32Array, label: number): number =>
      Math.floor(piece.lastIndexOf(label) / width);
    const { piece, sizes } = read();
    const seeds: number[] = [];
    for (let column = 0; column < width; column++) {
      const label = piece[row * width + column]!;
      if (label < 0 || sizes[label]! >= minimum || bottomOf(piece, label) !== row) continue;
      if (!seeds.some((seed) => piece[seed] === label)) seeds.push(row * width + column);
    }
    seeds.sort((p, q) => sizes[piece[p]!]! - sizes[piece[q]!]! || p - q);
    for (const seed of seeds) {
      const now = read();
      const own = now.piece[seed]!;
      if (now.sizes[own]! >= minimum || bottomOf(now.piece, own) !== row) continue;
      const large = new Map<number, number>();
      const any = new Map<number, number>();
      now.piece.forEach((label, at) => {
        if (label !== own) return;
        for (const beside of neighbours(at, width, visible)) {
          const other = now.piece[beside]!;
          const classId = classes[beside]!;
          if (other < 0 || other === own) continue;
          any.set(classId, (any.get(classId) ?? 0) + 1);
          if (now.sizes[other]! >= minimum) large.set(classId, (large.get(classId) ?? 0) + 1);
        }
      });
      const borders = large.size > 0 ? large : any;
      const [best] = [...borders].sort((p, q) => q[1] - p[1] || p[0] - q[0]);
      if (best === undefined) continue;
      now.piece.forEach((label, at) => {
        if (label === own) classes[at] = best[0];
      });
    }
  }
  return classes;
}

function expectNoSmallPieces(map: ClassMap, classes: Uint8Array, minimum: number): void {
  const { piece, sizes } = floodPieces({ ...map, classes });
  piece.forEach((label, at) => {
    if (label < 0 || sizes[label]! >= minimum) return;
    for (const beside of neighbours(at, map.width, map.height)) {
      expect(piece[beside] === label || piece[beside] === -1).toBe(true);
    }
  });
}

describe('merging small pieces', () => {
  it('follows its rule, as a brute-force reading of it does', async () => {
    await fc.assert(
      fc.asyncProperty(classMaps(9, 5), fc.integer({ min: 1, max: 12 }), async (map, minimum) => {
        expect(await sieve(map, minimum)).toEqual(sieveBruteForce(map, minimum));
      }),
      { numRuns: 400 },
    );
    for (const map of [blobMap(40, 30, 4, 5, 0.15), noiseMap(30, 40, 3, 6)]) {
      for (const minimum of [3, 8, 40])
        expect(await sieve(map, minimum)).toEqual(sieveBruteForce(map, minimum));
    }
  });

  it('leaves smaller pieces only where all around is nodata or the frame', async () => {
    for (const [seed, minimum] of [
      [1, 2],
      [2, 5],
      [3, 30],
      [4, 200],
      [5, 100_000],
    ] as const) {
      for (const map of [noiseMap(70, 60, 5, seed), blobMap(150, 120, 6, seed, 0.1)]) {
        const classes = await sieve(map, minimum);
        expectNoSmallPieces(map, classes, minimum);
        // Nodata stays where it was.
        expect(classes.map((value) => (value === 0 ? 1 : 0))).toEqual(
          map.classes.map((value) => (value === 0 ? 1 : 0)),
        );
      }
    }
  });

  it('is the same for every strip height', async () => {
    for (const map of [noiseMap(50, 64, 4, 12), blobMap(90, 100, 5, 13, 0.2)]) {
      const whole = await sieve(map, 12);
      for (const rows of [1, 2, 7, 32, 63]) expect(await sieve(map, 12, rows)).toEqual(whole);
    }
  });

  it('changes nothing when nothing is small', async () => {
    const map = noiseMap(30, 30, 4, 3);
    for (const minimum of [0, 1]) expect(await sieve(map, minimum)).toEqual(map.classes);
  });

  it('prefers large neighbours to longer borders with small ones', async () => {
    // The 3 borders on the small 2s by three edges and on the large 1 by one.
    const map = drawn('1111', '1222', '1232', '1111');
    expect(await sieve(map, 6)).toEqual(drawn('1111', '1111', '1111', '1111').classes);
  });

  it('takes the lower class id of equal borders', async () => {
    const map = drawn('5555', '5535', '4444', '4444');
    // Three edges to 5, one to 4.
    expect(await sieve(map, 2)).toEqual(drawn('5555', '5555', '4444', '4444').classes);
    const tie = drawn('55', '34', '22');
    expect(await sieve(tie, 2)).toEqual(drawn('55', '22', '22').classes);
  });

  it('hands confidence through and forgets merged pieces of long maps', async () => {
    const map = noiseMap(40, 3000, 6, 14);
    const confidence = Uint8Array.from({ length: map.classes.length }, (_, at) => at % 251);
    const passed = new Uint8Array(confidence.length);
    const classes = new Uint8Array(confidence.length);
    for await (const strip of sieveStrips(stripsOf(map, 100, confidence), { minimumPixels: 9 })) {
      passed.set(strip.confidence!, strip.firstRow * map.width);
      classes.set(strip.classes, strip.firstRow * map.width);
    }
    expect(passed).toEqual(confidence);
    expectNoSmallPieces(map, classes, 9);
  });

  it('refuses to hold more rows than its memory allows', async () => {
    // One column of class 2 never ends, and never becomes large.
    const map: ClassMap = { width: 64, height: 4000, classes: new Uint8Array(64 * 4000).fill(1) };
    for (let row = 0; row < map.height; row++) map.classes[row * 64 + 9] = 2;
    const run = async (): Promise<void> => {
      for await (const _ of sieveStrips(stripsOf(map, 100), { minimumPixels: 5000, memoryLimit: 1e6 }));
    };
    await expect(run()).rejects.toThrow(Problem);
    await expect(run()).rejects.toMatchObject({ code: 'vector/min-area-memory' });
  });
});
