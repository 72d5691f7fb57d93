import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export interface SyntheticChannel {
  polarisation: string;
  /** Digital numbers, row-major. */
  pixels: Uint16Array;
}

export interface SyntheticProduct {
  width: number;
  height: number;
  channels: readonly SyntheticChannel[];
  /** Amplitude factors at a line and pixel; linear in both, so that bilinear tables give them exactly. */
  amplitude(quantity: 'sigmaNought' | 'betaNought' | 'gamma', line: number, pixel: number): number;
  /** Noise power in DN²: linear along range. */
  noise(pixel: number): number;
  /** Factor along azimuth, linear. */
  noiseFactor(line: number): number;
  /** Longitude and latitude at a pixel's centre. */
  place(line: number, pixel: number): [number, number];
}

const stemOf = (polarisation: string): string => `s1x-iw-grd-${polarisation.toLowerCase()}-synthetic-001`;

/** Files of a product laid out as Sentinel-1's, by name. */
export function syntheticFiles(product: SyntheticProduct): Map<string, Buffer> {
  const { width, height, channels } = product;
  const files = new Map<string, Buffer>();
  const lines = [-10, Math.floor(height / 3), height + 20];
  const pixels = [0, Math.floor(width / 4), Math.floor(width / 2), width - 1];
  const list = (values: readonly number[]): string => values.join(' ');
  for (const { polarisation, pixels: samples } of channels) {
    const stem = stemOf(polarisation);
    const header = `<adsHeader><missionId>S1X</missionId><productType>GRD</productType><polarisation>${polarisation}</polarisation><mode>IW</mode><swath>IW</swath><startTime>2021-04-01T05:26:23.794457</startTime></adsHeader>`;
    const grid = [0, Math.floor(height / 2), height - 1].flatMap((line) =>
      [0, Math.floor(width / 2), width - 1].map((pixel) => {
        const [longitude, latitude] = product.place(line, pixel);
        return `<geolocationGridPoint><azimuthTime>2021-04-01T05:26:24.1</azimuthTime><slantRangeTime>5e-3</slantRangeTime><line>${line}</line><pixel>${pixel}</pixel><latitude>${latitude}</latitude><longitude>${longitude}</longitude><height>0</height><incidenceAngle>35</incidenceAngle></geolocationGridPoint>`;
      }),
    );
    files.set(
      `annotation/${stem}.xml`,
      Buffer.from(`<?xml version="1.0"?><product>${header}<generalAnnotation><productInformation><pass>Ascending</pass></productInformation></generalAnnotation>
<imageAnnotation><imageInformation><rangePixelSpacing>1.0e+01</rangePixelSpacing><azimuthPixelSpacing>1.0e+01</azimuthPixelSpacing><numberOfSamples>${width}</numberOfSamples><numberOfLines>${height}</numberOfLines></imageInformation>
<processingInformation><thermalNoiseCorrectionPerformed>false</thermalNoiseCorrectionPerformed><swathProcParamsList><swathProcParams><rangeProcessing><numberOfLooks>5</numberOfLooks></rangeProcessing><azimuthProcessing><numberOfLooks>1</numberOfLooks></azimuthProcessing></swathProcParams></swathProcParamsList></processingInformation></imageAnnotation>
<geolocationGrid><geolocationGridPointList>${grid.join('')}</geolocationGridPointList></geolocationGrid></product>`),
    );
    const vectors = lines.map((line) => {
      const tables = (['sigmaNought', 'betaNought', 'gamma'] as const).map(
        (name) => `<${name}>${list(pixels.map((pixel) => product.amplitude(name, line, pixel)))}</${name}>`,
      );
      return `<calibrationVector><line>${line}</line><pixel>${list(pixels)}</pixel>${tables.join('')}</calibrationVector>`;
    });
    files.set(
      `annotation/calibration/calibration-${stem}.xml`,
      Buffer.from(
        `<calibration>${header}<calibrationVectorList>${vectors.join('')}</calibrationVectorList></calibration>`,
      ),
    );
    const noise = lines.map(
      (line) =>
        `<noiseRangeVector><line>${line}</line><pixel>${list(pixels)}</pixel><noiseRangeLut>${list(pixels.map(product.noise))}</noiseRangeLut></noiseRangeVector>`,
    );
    const azimuth = [0, height - 1];
    files.set(
      `annotation/calibration/noise-${stem}.xml`,
      Buffer.from(
        `<noise>${header}<noiseRangeVectorList>${noise.join('')}</noiseRangeVectorList><noiseAzimuthVectorList><noiseAzimuthVector><swath>IW1</swath><firstAzimuthLine>0</firstAzimuthLine><firstRangeSample>0</firstRangeSample><lastAzimuthLine>${height - 1}</lastAzimuthLine><lastRangeSample>${width - 1}</lastRangeSample><line>${list(azimuth)}</line><noiseAzimuthLut>${list(azimuth.map(product.noiseFactor))}</noiseAzimuthLut></noiseAzimuthVector></noiseAzimuthVectorList></noise>`,
      ),
    );
    files.set(`measurement/${stem}.tiff`, plainTiff(width, height, samples));
  }
  const object = (schema: string, name: string): string =>
    `<dataObject ID="x" repID="${schema}"><byteStream><fileLocation locatorType="URL" href="./${name}"/></byteStream></dataObject>`;
  const objects = channels.flatMap(({ polarisation }) => {
    const stem = stemOf(polarisation);
    return [
      object('s1Level1ProductSchema', `annotation/${stem}.xml`),
      object('s1Level1CalibrationSchema', `annotation/calibration/calibration-${stem}.xml`),
      object('s1Level1NoiseSchema', `annotation/calibration/noise-${stem}.xml`),
      object('s1Level1MeasurementSchema', `measurement/${stem}.tiff`),
    ];
  });
  files.set(
    'manifest.safe',
    Buffer.from(
      `<xfdu:XFDU xmlns:xfdu="urn:x"><metadataSection><metadataObject><metadataWrap><xmlData><safe:platform><safe:familyName>SENTINEL-1</safe:familyName></safe:platform></xmlData></metadataWrap></metadataObject></metadataSection><dataObjectSection>${objects.join('')}</dataObjectSection></xfdu:XFDU>`,
    ),
  );
  return files;
}

/** Writes the files under `folder` and returns it. */
export function writeProduct(folder: string, files: ReadonlyMap<string, Buffer>): string {
  for (const [name, bytes] of files) {
    const path = join(folder, name);
    mkdirSync(join(path, '..'), { recursive: true });
    writeFileSync(path, bytes);
  }
  return folder;
}

/** A little-endian TIFF of one uncompressed strip of 16-bit samples; `complex`: pairs of signed ones. */
export function plainTiff(
  width: number,
  height: number,
  samples: Uint16Array | Int16Array,
  complex = false,
): Buffer {
  const entries: [tag: number, type: 3 | 4, value: number][] = [
    [256, 4, width],
    [257, 4, height],
    [258, 3, complex ? 32 : 16],
    [259, 3, 1],
    [262, 3, 1],
    [273, 4, 8],
    [277, 3, 1],
    [278, 4, height],
    [279, 4, samples.byteLength],
    [339, 3, complex ? 5 : 1],
  ];
  const directory = Buffer.alloc(2 + entries.length * 12 + 4);
  directory.writeUInt16LE(entries.length, 0);
  entries.forEach(([tag, type, value], index) => {
    const at = 2 + index * 12;
    directory.writeUInt16LE(tag, at);
    directory.writeUInt16LE(type, at + 2);
    directory.writeUInt32LE(1, at + 4);
    if (type === 3) directory.writeUInt16LE(value, at + 8);
    else directory.writeUInt32LE(value, at + 8);
  });
  const head = Buffer.alloc(8);
  head.write('II', 0, 'latin1');
  head.writeUInt16LE(42, 2);
  head.writeUInt32LE(8 + samples.byteLength, 4);
  return Buffer.concat([
    head,
    Buffer.from(samples.buffer, samples.byteOffset, samples.byteLength),
    directory,
  ]);
}
