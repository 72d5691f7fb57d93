import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type ClipGeometry, clipShapes, inferGeometry } from '../../../src/worker/weights/geometry.ts';
import type { NamedWeights } from '../../../src/worker/weights/named-weights.ts';

function weightsOf(shapes: Map<string, number[]>): NamedWeights {
  return {
    source: 'model.pt',
    names: () => [...shapes.keys()],
    shape: (name) => shapes.get(name)!,
    read: () => Promise.reject(new Error('geometry needs no values')),
  };
}

const tower = (width: number) =>
  fc
    .record({ layers: fc.integer({ min: 1, max: 4 }), hidden: fc.integer({ min: 1, max: 9000 }) })
    .map((rest) => ({
      width,
      heads: width === 1280 ? 16 : width / 64,
      ...rest,
    }));
const width = fc.constantFrom(64, 128, 512, 768, 1024, 1280, 1664);

const geometries: fc.Arbitrary<ClipGeometry> = fc
  .record({
    embedding: fc.integer({ min: 1, max: 2000 }),
    vision: width.chain(tower),
    text: width.chain(tower),
    patch: fc.constantFrom(14, 16, 32),
    grid: fc.integer({ min: 1, max: 37 }),
    context: fc.integer({ min: 3, max: 77 }),
    vocabulary: fc.integer({ min: 514, max: 49408 }),
  })
  .map(({ embedding, vision, text, patch, grid, context, vocabulary }) => ({
    embedding,
    vision: { ...vision, patch, grid, image: patch * grid },
    text: { ...text, context, vocabulary },
  }));

describe('geometry from shapes', () => {
  it('is the geometry that the shapes were made of', () => {
    fc.assert(
      fc.property(geometries, (geometry) => {
        expect(inferGeometry(weightsOf(clipShapes(geometry)))).toEqual(geometry);
      }),
    );
  });

  it('a missing tensor is named', () => {
    fc.assert(
      fc.property(geometries, fc.nat(), (geometry, pick) => {
        const shapes = clipShapes(geometry);
        const names = [...shapes.keys()].filter((name) => name !== 'logit_scale');
        const name = names[pick % names.length]!;
        // Without its last block a tower is a shallower one; the blocks before it must be whole.
        fc.pre(
          !/\.ln_1\.weight$/.test(name) || shapes.has(name.replace(/\d+(?=\.ln_1)/, (n) => String(+n + 1))),
        );
        shapes.delete(name);
        expect(() => inferGeometry(weightsOf(shapes))).toThrow(
          expect.objectContaining({
            code: 'checkpoint/missing-tensor',
            message: expect.stringContaining(name),
          }),
        );
      }),
    );
  });

  it('a shape that contradicts the others is refused', () => {
    fc.assert(
      fc.property(geometries, fc.nat(), fc.nat(), (geometry, pick, axisPick) => {
        const shapes = clipShapes(geometry);
        const names = [...shapes.keys()].filter((name) => name !== 'logit_scale');
        const name = names[pick % names.length]!;
        const shape = [...shapes.get(name)!];
        const axis = axisPick % shape.length;
        shape[axis] = shape[axis]! + 1;
        shapes.set(name, shape);
        // Only these numbers stand for themselves alone.
        const alone = ['positional_embedding/0', 'token_embedding.weight/0'];
        fc.pre(!alone.includes(`${name}/${axis}`));
        expect(() => inferGeometry(weightsOf(shapes))).toThrow(
          expect.objectContaining({
            code: 'checkpoint/geometry',
            message: expect.stringMatching(/^model\.pt: .* has the shape \[.*expected/),
          }),
        );
      }),
    );
  });

  it('an extra axis is refused', () => {
    const shapes = clipShapes(fc.sample(geometries, { numRuns: 1, seed: 5 })[0]!);
    for (const name of shapes.keys()) {
      if (name === 'logit_scale') continue;
      const changed = new Map(shapes).set(name, [...shapes.get(name)!, 1]);
      expect(() => inferGeometry(weightsOf(changed))).toThrow(
        expect.objectContaining({ code: 'checkpoint/geometry', message: expect.stringContaining(name) }),
      );
    }
  });
});
