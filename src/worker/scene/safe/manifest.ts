import { plainName } from './product-files.ts';
import { parseXml } from './xml.ts';

/** What a SAFE manifest says of its product's files. */
export interface Manifest {
  /** `SENTINEL-1`, `SENTINEL-2`, … or `` where it does not say. */
  family: string;
  /** Names relative to the manifest, by kind. */
  annotations: string[];
  calibrations: string[];
  noises: string[];
  measurements: string[];
  /** All files, of any kind. */
  files: string[];
  /** Corners. */
  footprint: [longitude: number, latitude: number][];
}

/** Throws `scene/corrupt`. Names that lead out of the product are left out. */
export function parseManifest(text: string, file: string): Manifest {
  const root = parseXml(text, file, 'XFDU');
  const names = (schema: string | null): string[] =>
    root.all('dataObjectSection/dataObject').flatMap((object) => {
      if (schema !== null && object.attribute('repID') !== schema) return [];
      const href = object.find('byteStream/fileLocation')?.attribute('href') ?? '';
      const name = plainName(href);
      return name === null ? [] : [name];
    });
  let family = '';
  const footprint: Manifest['footprint'] = [];
  for (const object of root.all('metadataSection/metadataObject')) {
    const data = object.find('metadataWrap/xmlData');
    family = data?.find('platform/familyName')?.text ?? family;
    const corners = data?.find('frameSet/frame/footPrint/coordinates')?.text ?? '';
    for (const pair of corners.split(/\s+/)) {
      const [latitude, longitude] = pair.split(',').map(Number);
      if (Number.isFinite(latitude) && Number.isFinite(longitude)) footprint.push([longitude!, latitude!]);
    }
  }
  return {
    family,
    annotations: names('s1Level1ProductSchema'),
    calibrations: names('s1Level1CalibrationSchema'),
    noises: names('s1Level1NoiseSchema'),
    measurements: names('s1Level1MeasurementSchema'),
    files: names(null),
    footprint,
  };
}
