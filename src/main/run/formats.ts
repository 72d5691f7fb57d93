/** Output formats in the order they are written; `tif` is the class map and its confidence. */
export const formats = ['gpkg', 'geojson', 'shp', 'tif'] as const;
export type Format = (typeof formats)[number];

const aliases: Record<string, Format> = {
  geopackage: 'gpkg',
  json: 'geojson',
  shapefile: 'shp',
  tiff: 'tif',
  geotiff: 'tif',
};

/** The format that a person means by `text`, or null. */
export function formatNamed(text: string): Format | null {
  const lower = text.trim().toLowerCase();
  return formats.find((format) => format === lower) ?? aliases[lower] ?? null;
}
