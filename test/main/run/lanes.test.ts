import fc from 'fast-check';
import { expect, it } from 'vitest';
import { planLanes } from '../../../src/main/run/lanes.ts';

const size = fc.integer({ min: 0, max: 64 }).map((gigabytes) => gigabytes * 1e9);

it('never takes more threads or memory than given, and always one lane', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 128 }), size, size, size, (threads, memory, reserved, lane) => {
      const plan = planLanes(threads, memory, reserved, lane, 'cpu');
      expect(plan.lanes).toBeGreaterThanOrEqual(1);
      expect(plan.threadsPerLane).toBeGreaterThanOrEqual(1);
      expect(plan.lanes * plan.threadsPerLane).toBeLessThanOrEqual(threads);
      if (plan.lanes > 1) expect(reserved + plan.lanes * lane).toBeLessThanOrEqual(memory);
    }),
  );
});

it('gives a graphics card one lane', () => {
  expect(planLanes(8, 64e9, 1e9, 1e9, 'webgpu').lanes).toBe(1);
  expect(planLanes(8, 64e9, 1e9, 1e9, 'cpu')).toEqual({ lanes: 8, threadsPerLane: 1 });
  expect(planLanes(8, 3e9, 1e9, 1e9, 'cpu')).toEqual({ lanes: 2, threadsPerLane: 4 });
});
