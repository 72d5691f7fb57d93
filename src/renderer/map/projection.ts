import Projection from 'ol/proj/Projection.js';
import { register } from 'ol/proj/proj4.js';
import { getPointResolution, get as projectionOf, transform } from 'ol/proj.js';
import TileGrid from 'ol/tilegrid/TileGrid.js';
import proj4 from 'proj4';
import type { Box } from '../../main/rpc/base.ts';
import type { System } from '../../main/rpc/systems.ts';
import { ask } from '../connection/client.ts';

/** A system as the map library knows it. */
export interface MapSystem {
  system: System;
  projection: Projection;
  tileGrid: TileGrid;
  /** Metres per unit of the axes; 1 for pixels. */
  metresPerUnit: number;
}

const known = new Map<string, MapSystem>();

/** The system for the map; registered once. */
export function mapSystem(system: System): MapSystem {
  // A name without a code means another system in every project.
  const code = system.crs.startsWith('EPSG:') ? system.crs : `${system.crs} ${system.proj4 ?? ''}`;
  const before = known.get(code);
  if (before) return before;
  let projection: Projection;
  if (system.proj4 === null) {
    projection = new Projection({ code, units: 'pixels', metersPerUnit: 1 });
  } else {
    proj4.defs(code, system.proj4);
    register(proj4);
    projection = projectionOf(code)!;
  }
  const { origin, resolutions, tileSize } = system.grid;
  const tileGrid = new TileGrid({ origin: [...origin], resolutions: [...resolutions], tileSize });
  const metresPerUnit = system.kind === 'pixels' ? 1 : (projection.getMetersPerUnit() ?? 1);
  const made = { system, projection, tileGrid, metresPerUnit };
  known.set(code, made);
  return made;
}

const asked = new Map<string, Promise<MapSystem>>();

/** A system by its name, asked of the host once. */
export function systemNamed(crs: string): Promise<MapSystem> {
  let found = asked.get(crs);
  if (!found) {
    found = ask.systems.get({ crs }).then(mapSystem);
    asked.set(crs, found);
    found.catch(() => asked.delete(crs));
  }
  return found;
}

/** A point of one system in another; the same point where either is pixels. */
export function inSystem(point: readonly [number, number], from: MapSystem, to: MapSystem): [number, number] {
  if (from === to || !from.system.proj4 || !to.system.proj4) return [point[0], point[1]];
  return transform([point[0], point[1]], from.projection, to.projection) as [number, number];
}

/** Points along the edges of a box, closed: straight lines of one system are bent in another. */
export function outlineOf([left, bottom, right, top]: Box): [number, number][] {
  const steps = 16;
  const corners: [number, number][] = [
    [left, bottom],
    [right, bottom],
    [right, top],
    [left, top],
    [left, bottom],
  ];
  const points = corners.slice(1).flatMap(([x, y], side) => {
    const [fromX, fromY] = corners[side]!;
    return Array.from({ length: steps }, (_, i): [number, number] => [
      fromX + ((x - fromX) * i) / steps,
      fromY + ((y - fromY) * i) / steps,
    ]);
  });
  return [...points, corners[0]!];
}

/** The box of one system that covers a box of another, by points along its edges. */
export function boxInSystem(box: Box, from: MapSystem, to: MapSystem): Box {
  if (from === to) return box;
  const out: Box = [Infinity, Infinity, -Infinity, -Infinity];
  for (const point of outlineOf(box)) {
    const [px, py] = inSystem(point, from, to);
    out[0] = Math.min(out[0], px);
    out[1] = Math.min(out[1], py);
    out[2] = Math.max(out[2], px);
    out[3] = Math.max(out[3], py);
  }
  return out;
}

/** Units of `to` per unit of `from` around a point. */
export function unitRatio(point: readonly [number, number], from: MapSystem, to: MapSystem): number {
  if (from === to) return 1;
  const step = from.system.kind === 'geographic' ? 1e-4 : 10;
  const here = inSystem(point, from, to);
  const there = inSystem([point[0], point[1] + step], from, to);
  return Math.hypot(there[0] - here[0], there[1] - here[1]) / step || 1;
}

/** Metres east and north around a point in units of its system's axes; pixels stay pixels. */
export function unitsOnGround(
  metres: readonly [number, number],
  point: readonly [number, number],
  { projection, system }: MapSystem,
): [number, number] {
  if (system.kind === 'pixels') return [metres[0], metres[1]];
  if (system.kind === 'geographic') {
    const perDegree = projection.getMetersPerUnit() ?? 111_319.49;
    return [metres[0] / perDegree / Math.cos((point[1] * Math.PI) / 180), metres[1] / perDegree];
  }
  const perUnit = getPointResolution(projection, 1, [point[0], point[1]], 'm') || 1;
  return [metres[0] / perUnit, metres[1] / perUnit];
}

/** Screen pixels of the standard size (0.28 mm, OGC) to a scale denominator. */
export function scaleOf(
  resolution: number,
  { metresPerUnit, system }: MapSystem,
  centre: readonly [number, number],
): number {
  const metres =
    system.kind === 'geographic' ? metresPerUnit * Math.cos((centre[1] * Math.PI) / 180) : metresPerUnit;
  return (resolution * metres) / 0.00028;
}

export function resolutionOf(
  scale: number,
  { metresPerUnit, system }: MapSystem,
  centre: readonly [number, number],
): number {
  const metres =
    system.kind === 'geographic' ? metresPerUnit * Math.cos((centre[1] * Math.PI) / 180) : metresPerUnit;
  return (scale * 0.00028) / metres;
}
