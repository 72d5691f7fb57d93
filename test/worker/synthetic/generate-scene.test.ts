import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { demoSeed } from '../../../src/worker/steps/demo.ts';
import { classOfKind, syntheticClasses, syntheticKinds } from '../../../src/worker/synthetic/classes.ts';
import { generateScene, type SyntheticScene } from '../../../src/worker/synthetic/generate-scene.ts';
import { randomStyle, randomVariety } from '../../../src/worker/synthetic/style.ts';

const digest = (scene: SyntheticScene): string =>
  createHash('sha256').update(scene.pixels).update(scene.classes).update(scene.kinds).digest('hex');

/** Share of every class id of the map. */
function shares(scene: SyntheticScene): number[] {
  const counts = new Array<number>(syntheticClasses.length + 1).fill(0);
  for (const id of scene.classes) counts[id]!++;
  return counts.map((count) => count / scene.classes.length);
}

describe('synthetic scenes', () => {
  it('are the same bytes for the same request, others for another seed', () => {
    const request = { seed: 41, width: 150, height: 90 };
    expect(digest(generateScene(request))).toBe(digest(generateScene(request)));
    expect(digest(generateScene({ ...request, seed: 42 }))).not.toBe(digest(generateScene(request)));
  });

  it('show every class in the demo, none below half a per cent', () => {
    const found = shares(generateScene({ seed: demoSeed, width: 768, height: 768 }));
    expect(found[0]).toBe(0);
    for (const { id, name } of syntheticClasses) expect(found[id], name).toBeGreaterThan(0.005);
  });

  it('have a class and a kind that agree on every pixel, for any size, resolution and style', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 2 ** 31 }),
        fc.integer({ min: 16, max: 140 }),
        fc.integer({ min: 16, max: 140 }),
        fc.double({ min: 0.1, max: 5, noNaN: true }),
        (seed, width, height, resolution) => {
          const scene = generateScene({ seed, width, height, resolution, style: randomStyle(seed) });
          expect(scene.pixels).toHaveLength(3 * width * height);
          expect(scene.classes).toHaveLength(width * height);
          for (let i = 0; i < scene.classes.length; i++) {
            const id = scene.classes[i]!;
            if (id < 1 || id > syntheticClasses.length || id !== classOfKind[scene.kinds[i]!]) {
              expect.fail(`pixel ${i}: class ${id}, kind ${scene.kinds[i]}`);
            }
          }
        },
      ),
      { seed: 11, numRuns: 25 },
    );
  });

  it('grow bushes on waste ground where variety asks for it', () => {
    const woods = (overgrown: number): number => {
      let share = 0;
      for (const seed of [3, 4, 5, 6]) {
        const style = {
          ...randomStyle(seed),
          climate: 'temperate' as const,
          season: 'winter' as const,
          residential: 0,
          industrial: 0.8,
          forest: 0,
          variety: { ...randomVariety(seed), overgrown },
        };
        const scene = generateScene({ seed, width: 160, height: 160, resolution: 1.5, style });
        expect(scene.classes.every((id, i) => id > 0 && id === classOfKind[scene.kinds[i]!])).toBe(true);
        share += shares(scene)[3]! / 4;
      }
      return share;
    };
    expect(woods(1) / woods(0)).toBeGreaterThan(1.5);
  });

  it('look like their classes: water is darker than sand, trees are darker than grass, roofs stand out', () => {
    const scene = generateScene({ seed: demoSeed, width: 640, height: 640 });
    const length = scene.width * scene.height;
    const sums = new Float64Array(3 * (syntheticClasses.length + 1));
    const counts = new Float64Array(syntheticClasses.length + 1);
    for (let i = 0; i < length; i++) {
      const id = scene.classes[i]!;
      counts[id]!++;
      for (let band = 0; band < 3; band++) sums[3 * id + band]! += scene.pixels[band * length + i]!;
    }
    const mean = (name: string): [number, number, number] => {
      const { id } = syntheticClasses.find((entry) => entry.name === name)!;
      return [0, 1, 2].map((band) => sums[3 * id + band]! / counts[id]!) as [number, number, number];
    };
    const brightness = (name: string): number => mean(name).reduce((sum, value) => sum + value, 0) / 3;
    expect(brightness('water')).toBeLessThan(brightness('bare soil') - 40);
    expect(brightness('tree')).toBeLessThan(brightness('grass') - 20);
    const [red, green, blue] = mean('grass');
    expect(green).toBeGreaterThan(red);
    expect(green).toBeGreaterThan(blue);
    expect(mean('water')[2]).toBeGreaterThan(mean('water')[0]);
  });

  it('know a class for every kind', () => {
    for (const { id, name, classId } of syntheticKinds) {
      expect(classOfKind[id], name).toBe(classId);
      expect(
        syntheticClasses.some((entry) => entry.id === classId),
        name,
      ).toBe(true);
    }
    expect(new Set(syntheticKinds.map(({ id }) => id)).size).toBe(syntheticKinds.length);
  });

  it('refuse impossible sizes and resolutions in words', () => {
    expect(() => generateScene({ seed: 1, width: 8, height: 100 })).toThrow(/8 × 100 pixels/);
    expect(() => generateScene({ seed: 1, width: 100, height: 1e6 })).toThrow(/100 × 1000000/);
    expect(() => generateScene({ seed: 1, width: 64, height: 64, resolution: 0 })).toThrow(/0 metres/);
    expect(() => generateScene({ seed: 1, width: 64, height: 64, resolution: Number.NaN })).toThrow(/NaN/);
  });
});
