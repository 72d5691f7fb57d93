import { describe, expect, it } from 'vitest';
import { bandScan, planesAtOnce, Wavelets } from '../../../src/worker/features/wavelet.ts';

const sizes = [
  [1, 1],
  [2, 1],
  [1, 9],
  [5, 3],
  [37, 11],
  [256, 64],
] as const;

const wave = (i: number) => Math.sin(i * 1.7) + (i % 13 === 0 ? 3 : 0);

describe('wavelets', () => {
  it('are undone by joining, whatever the size', () => {
    const wavelets = new Wavelets();
    for (const [width, height] of sizes) {
      const planes = wavelets.planes(width, height);
      for (let i = 0; i < planes.length; i++) planes[i] = wave(i);
      wavelets.split(width, height);
      wavelets.join(width, height);
      const worst = planes.reduce((most, value, i) => Math.max(most, Math.abs(value - wave(i))), 0);
      expect(worst, `${width} × ${height}`).toBeLessThan(2e-6);
    }
  });

  it('make nothing but one number of what is even', () => {
    const wavelets = new Wavelets();
    for (const [width, height] of sizes) {
      const planes = wavelets.planes(width, height).fill(7);
      wavelets.split(width, height);
      const coarse = (length: number) => Math.ceil(length / 16);
      planes.forEach((value, i) => {
        const pixel = Math.floor(i / planesAtOnce);
        const inside = pixel % width < coarse(width) && Math.floor(pixel / width) < coarse(height);
        expect(value).toBe(inside ? 7 : 0);
      });
    }
  });

  it('are looked at once everywhere', () => {
    for (const [width, height] of sizes) {
      const { places } = bandScan(width, height);
      expect(Array.from(places).sort((a, b) => a - b)).toEqual(
        Array.from({ length: width * height }, (_, i) => i),
      );
    }
  });

  it('have shares as joining makes them far from borders', () => {
    const wavelets = new Wavelets();
    for (const [width, height] of [
      [512, 1],
      [1, 512],
      [256, 256],
    ] as const) {
      const { places, shares } = bandScan(width, height);
      for (const level of [1, 2, 3, 4]) {
        const half = (side: number) => Math.max(1, side >> level);
        // The middles of the level's coarse half and of its details, along a side.
        const middles = (side: number) =>
          side === 1 ? [0] : [side >> (level + 1), (side >> level) + (side >> (level + 1))];
        for (const column of middles(width)) {
          for (const row of middles(height)) {
            const smooth = column < half(width) && row < half(height);
            if (smooth && level < 4) continue;
            const planes = wavelets.planes(width, height).fill(0);
            planes[(row * width + column) * planesAtOnce] = 1;
            wavelets.join(width, height);
            const norm = Math.sqrt(planes.reduce((sum, value) => sum + value ** 2, 0));
            const told = 1 / shares[places.indexOf(row * width + column)]!;
            expect(told, `${column}, ${row} of ${width} × ${height}`).toBeCloseTo(norm, 3);
          }
        }
      }
    }
  });
});
