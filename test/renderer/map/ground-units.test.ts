import geodesic from 'geographiclib-geodesic';
import { beforeAll, describe, expect, it } from 'vitest';
import { describeSystem } from '../../../src/main/desktop/systems.ts';
import { crsFromEpsg, toOwnGeographic } from '../../../src/worker/raster/crs.ts';

type Projection = typeof import('../../../src/renderer/map/projection.ts');

describe('metres on the ground in units of a map', () => {
  let projection: Projection;
  beforeAll(async () => {
    (globalThis as { window?: unknown }).window ??= new EventTarget();
    projection = await import('../../../src/renderer/map/projection.ts');
  });

  it.each([
    [32633, [510_000, 5_500_000]],
    [3857, [1_700_000, 8_400_000]],
    [4326, [15, 60]],
    [25832, [400_000, 5_640_000]],
  ] as const)('EPSG:%i: as far as the geodesic says, within 0.5 %%', (code, place) => {
    const crs = crsFromEpsg(code);
    const system = projection.mapSystem(describeSystem(crs, `EPSG:${code}`));
    const toGeographic = toOwnGeographic(crs)!;
    const from = toGeographic(place[0], place[1]);
    for (const metres of [
      [100, 0],
      [0, 100],
      [-60, 80],
    ] as const) {
      const [dx, dy] = projection.unitsOnGround(metres, place, system);
      const to = toGeographic(place[0] + dx, place[1] + dy);
      const { s12 } = geodesic.Geodesic.WGS84.Inverse(from[1], from[0], to[1], to[0]) as { s12: number };
      expect(Math.abs(s12 / 100 - 1)).toBeLessThan(0.005);
    }
  });

  it('pixels stay pixels', () => {
    const system = projection.mapSystem(describeSystem(null, 'PIXELS'));
    expect(projection.unitsOnGround([0.3, -0.2], [5, 5], system)).toEqual([0.3, -0.2]);
  });
});
