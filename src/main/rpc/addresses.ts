import type { RasterStyle } from './scenes.ts';

/**
 * Addresses of what is drawn, relative to the screen's own origin: the browser door serves them over HTTP, the desktop
 * over its own protocol. `version` makes them cacheable for good.
 */
export function rasterTileAddress(
  source: { kind: 'scene' | 'raster'; id: number; version: string },
  style: RasterStyle,
  crs: string,
): string {
  const query = new URLSearchParams({ crs, style: JSON.stringify(style), v: source.version });
  return `/tiles/${source.kind}/${source.id}/{z}/{x}/{y}?${query}`;
}

/**
 * Mapbox vector tiles, layer `polygons`; feature id is the fid, properties `class`, `confidence` (0-1) and `area`
 * (square metres). Same grid as the raster tiles of `crs`.
 */
export function vectorTileAddress(layer: { table: string; version: string }, crs: string): string {
  const query = new URLSearchParams({ crs, v: layer.version });
  return `/tiles/layer/${encodeURIComponent(layer.table)}/{z}/{x}/{y}?${query}`;
}

/**
 * All attributes of a layer in one reply, little endian: uint32 count n; then n × int32 fid, n × int32 class id, n ×
 * float32 confidence, n × float64 area (m²), n × float64 perimeter (m), each column starting at a multiple of 8 bytes.
 */
export function columnsAddress(layer: { table: string; version: string }): string {
  return `/columns/${encodeURIComponent(layer.table)}?${new URLSearchParams({ v: layer.version })}`;
}
