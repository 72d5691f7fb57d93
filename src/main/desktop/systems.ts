import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import * as z from 'zod';
import { type Crs, crsFromEpsg, findEpsg, transformer, wgs84 } from '../../worker/raster/crs.ts';
import { Problem } from '../../worker/report/problem.ts';
import { tileGridOf } from '../../worker/tiles/tile-grid.ts';
import type { System } from '../rpc/systems.ts';
import { projectBox } from './coordinates.ts';

/** What the contract calls a system; the project's own matters where it has no code. */
export function nameOfSystem(crs: Crs | null, ofProject: Crs | null): string {
  if (crs === null) return 'PIXELS';
  if (crs.epsg !== null && crs.epsg >= 1000 && findEpsg(crs.epsg) !== null) return `EPSG:${crs.epsg}`;
  return ofProject !== null && sameSystem(crs, ofProject) ? 'PROJECT' : 'OTHER';
}

/** The system that a name of the contract stands for; null: pixels. Throws `crs/unknown`, `crs/unknown-epsg`. */
export function systemNamed(name: string, ofProject: Crs | null): Crs | null {
  if (name === 'PIXELS') return null;
  if (name === 'PROJECT') return ofProject;
  const code = /^EPSG:(\d+)$/.exec(name)?.[1];
  if (code !== undefined) return crsFromEpsg(Number(code));
  throw new Problem(
    'crs/unknown',
    'This reference system has no code, so nothing can be drawn in it.',
    'Choose a system with an EPSG code for the project.',
  );
}

function sameSystem(a: Crs, b: Crs): boolean {
  if (a.epsg !== null || b.epsg !== null) return a.epsg === b.epsg;
  return a.name === b.name && a.proj4 === b.proj4 && a.wkt === b.wkt;
}

const register = z.object({
  unit: z.string().nullish(),
  /** North, west, south, east in degrees. */
  bbox: z.tuple([z.number(), z.number(), z.number(), z.number()]).nullish(),
});
const requireJson = createRequire(import.meta.url);

/** A system for the screen, with the grid of its tiles. */
export function describeSystem(crs: Crs | null, name: string): System {
  const { origin, resolutions, tileSize } = tileGridOf(crs);
  const grid = {
    origin: [origin[0], origin[1]] as [number, number],
    resolutions: [...resolutions],
    tileSize,
  };
  if (crs === null)
    return { crs: name, name: 'Pixels', kind: 'pixels', unit: 'pixel', proj4: null, grid, extent: null };
  const entry =
    crs.epsg !== null && findEpsg(crs.epsg) !== null
      ? register.safeParse(requireJson(`epsg-index/s/${crs.epsg}.json`)).data
      : undefined;
  const kind = crs.kind === 'geographic' ? 'geographic' : 'projected';
  return {
    crs: name,
    name: crs.name,
    kind,
    unit: kind === 'geographic' ? 'degree' : (entry?.unit ?? unitName(crs.metresPerUnit)),
    proj4: crs.proj4,
    grid,
    extent: entry?.bbox ? extentOf(crs, entry.bbox) : null,
  };
}

function extentOf(crs: Crs, [north, west, south, east]: readonly number[]): System['extent'] {
  // Areas across the antimeridian have no one box.
  if (west! >= east!) return null;
  const toSystem = transformer(wgs84, crs);
  return toSystem && projectBox([west!, south!, east!, north!], toSystem);
}

function unitName(metres: number): string {
  if (metres === 1) return 'metre';
  if (metres === 0.3048) return 'foot';
  if (Math.abs(metres - 1200 / 3937) < 1e-9) return 'US survey foot';
  if (metres === 1000) return 'kilometre';
  return `${metres} m`;
}

interface Listed {
  code: number;
  name: string;
  /** As searched: lower case. */
  text: string;
}

let list: Promise<Listed[]> | null = null;
const listedEntry = z.record(
  z.string(),
  z.object({ code: z.string(), kind: z.string(), name: z.string(), proj4: z.string().nullable() }),
);

/** Systems that maps can be drawn in, by code or by words of the name, best first. */
export async function searchSystems(text: string): Promise<{ crs: string; name: string }[]> {
  const words = text
    .toLowerCase()
    .split(/[\s/:,]+/)
    .filter((word) => word !== '' && word !== 'epsg');
  if (words.length === 0) return [];
  list ??= readFile(requireJson.resolve('epsg-index/all.json'), 'utf8').then((json) =>
    Object.values(listedEntry.parse(JSON.parse(json)))
      .filter(({ kind, proj4 }) => proj4 !== null && /^CRS-(PROJ|GEOG)CRS$/.test(kind))
      .map(({ code, name }) => ({ code: Number(code), name, text: `${code} ${name.toLowerCase()}` })),
  );
  const found = (await list).filter((system) => words.every((word) => system.text.includes(word)));
  const rank = ({ code, text: own }: Listed) =>
    words.some((word) => word === String(code)) ? 0 : familiar.has(code) ? 1 : own.length;
  return found
    .sort((a, b) => rank(a) - rank(b) || a.code - b.code)
    .slice(0, 50)
    .map(({ code, name }) => ({ crs: `EPSG:${code}`, name }));
}

/** What people mean most often. */
const familiar = new Set([
  3857,
  4326,
  ...Array.from({ length: 60 }, (_, zone) => 32601 + zone),
  ...Array.from({ length: 60 }, (_, zone) => 32701 + zone),
  ...Array.from({ length: 11 }, (_, zone) => 25828 + zone),
]);
