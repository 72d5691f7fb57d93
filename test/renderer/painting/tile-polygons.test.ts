import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { VectorTileWriter } from '../../../src/main/tiles/vector-tile-writer.ts';
import {
  type Canvas2d,
  type PolygonLook,
  paintPolygons,
} from '../../../src/renderer/painting/paint-polygons.ts';
import { readTilePolygons } from '../../../src/renderer/painting/tile-polygons.ts';

type Feature = typeof feature extends fc.Arbitrary<infer One> ? One : never;
const unit = fc.integer({ min: -128, max: 4224 });
const ring = fc
  .array(fc.tuple(unit, unit), { minLength: 3, maxLength: 6 })
  .map((points) => points.flat())
  // A point repeated in its place would be no step of the path.
  .filter((points) => new Set(points).size === points.length);
const feature = fc.record({
  fid: fc.option(fc.integer({ min: 0, max: 2 ** 40 }), { nil: -1 }),
  classId: fc.option(fc.integer({ min: -3, max: 300 }), { nil: null }),
  confidence: fc.option(fc.double({ min: 0, max: 1, noNaN: true }), { nil: null }),
  area: fc.option(fc.double({ min: 0, max: 1e12, noNaN: true }), { nil: null }),
  rings: fc.array(ring, { minLength: 1, maxLength: 3 }),
});

function written(features: Feature[]): Uint8Array {
  const writer = new VectorTileWriter(4096);
  for (const { rings, ...own } of features) {
    const ends: number[] = [];
    let end = 0;
    for (const each of rings) {
      end += each.length;
      ends.push(end);
    }
    writer.add(own, Int32Array.from(rings.flat()), ends);
  }
  return writer.finish() ?? new Uint8Array();
}

describe('polygons of a tile', () => {
  it('are read as the host writes them', () => {
    fc.assert(
      fc.property(fc.array(feature, { maxLength: 8 }), (features) => {
        const read = readTilePolygons(written(features));
        expect(read.count).toBe(features.length);
        expect(read.extent).toBe(4096);
        let ring = 0;
        let start = 0;
        for (const [index, { fid, classId, confidence, area, rings }] of features.entries()) {
          expect(read.fids[index]).toBe(fid);
          expect(read.classIds[index]).toBe(classId ?? -1);
          expect(read.confidences[index]).toBe(confidence ?? Number.NaN);
          expect(read.areas[index]).toBe(area ?? Number.NaN);
          for (const each of rings) {
            const end = read.ringEnds[ring++]!;
            expect([...read.points.subarray(start, end)]).toEqual(each);
            start = end;
          }
          expect(read.lastRings[index]).toBe(ring);
        }
      }),
    );
  });

  it('that are cut off or spoilt end in an error, never without end', () => {
    fc.assert(
      fc.property(
        fc.array(feature, { minLength: 1, maxLength: 4 }),
        fc.nat(),
        fc.integer({ min: 0, max: 255 }),
        (features, place, value) => {
          const tile = written(features);
          const cut = tile.slice(0, 1 + (place % (tile.length - 1)));
          expect(() => readTilePolygons(cut)).toThrow(RangeError);
          const spoilt = tile.slice();
          spoilt[place % spoilt.length] = value;
          try {
            readTilePolygons(spoilt);
          } catch (error) {
            expect(error).toBeInstanceOf(RangeError);
          }
        },
      ),
    );
  });
});

/** Writes down what is filled: colour, and the first point of every ring. */
class Recorder implements Canvas2d {
  fillStyle: unknown = '';
  strokeStyle: unknown = '';
  lineWidth = 0;
  lineJoin: Canvas2d['lineJoin'] = 'miter';
  readonly filled: [colour: string, x: number, y: number][] = [];
  #path: [number, number][] = [];

  beginPath(): void {
    this.#path = [];
  }
  moveTo(x: number, y: number): void {
    this.#path.push([x, y]);
  }
  fill(): void {
    for (const [x, y] of this.#path) this.filled.push([String(this.fillStyle).slice(0, 7), x, y]);
  }
  lineTo(): void {}
  closePath(): void {}
  stroke(): void {}
}

describe('painting', () => {
  const classes = [1, 2, 3];
  const colourOf = (id: number) => `#${id}${id}${id}${id}${id}${id}`;
  const square = (index: number, side: number) => [
    index,
    0,
    index + side,
    0,
    index + side,
    side,
    index,
    side,
  ];
  const polygon = fc.record({
    classId: fc.constantFrom(...classes),
    confidence: fc.double({ min: 0, max: 1, noNaN: true }),
    area: fc.double({ min: 0, max: 100, noNaN: true }),
    side: fc.constantFrom(3, 900),
  });

  it('draws every polygon that passes once, in the colour of its class, and nothing else', () => {
    fc.assert(
      fc.property(
        fc.array(polygon, { maxLength: 600 }),
        fc.subarray(classes),
        fc.double({ min: 0, max: 1, noNaN: true }),
        fc.option(fc.array(fc.nat(600)), { nil: null }),
        (polygons, shown, confidence, selected) => {
          const tile = readTilePolygons(
            written(
              polygons.map(({ side, ...own }, index) => ({
                ...own,
                fid: index,
                rings: [square(index, side)],
              })),
            ),
          );
          const look: PolygonLook = {
            colours: shown.map((id) => [id, colourOf(id)] as const),
            confidence,
            area: 20,
            selected: selected && new Set(selected),
          };
          const canvas = new Recorder();
          paintPolygons(canvas, tile, look, 4096, 1);
          const places = canvas.filled.map(([, x]) => x).sort((a, b) => a - b);
          const expected = polygons.flatMap((own, index) =>
            (
              selected
                ? selected.includes(index)
                : own.confidence >= confidence && own.area >= 20 && shown.includes(own.classId)
            )
              ? [index]
              : [],
          );
          expect(places).toEqual(expected);
          if (!selected)
            for (const [colour, x] of canvas.filled) expect(colour).toBe(colourOf(polygons[x]!.classId));
        },
      ),
    );
  });
});
