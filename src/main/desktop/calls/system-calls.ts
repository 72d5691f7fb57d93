import type { Desktop } from '../desktop.ts';
import { measureOnEllipsoid } from '../measure-line.ts';
import { describeSystem, searchSystems, systemNamed } from '../systems.ts';
import { calls } from './base.ts';

export function systemCalls(desktop: Desktop) {
  const named = (name: string) => systemNamed(name, desktop.open?.crs() ?? null);
  return {
    get: calls.systems.get.handler(({ input }) => describeSystem(named(input.crs), input.crs)),
    search: calls.systems.search.handler(({ input }) => searchSystems(input.text)),
    measure: calls.systems.measure.handler(({ input }) =>
      measureOnEllipsoid(named(input.crs), input.line, input.closed),
    ),
  };
}
