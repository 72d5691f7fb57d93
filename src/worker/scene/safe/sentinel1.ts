import { basename } from 'node:path';
import { pixelTransform } from '../../raster/affine.ts';
import { findEpsg } from '../../raster/crs.ts';
import { Problem, throwIfCancelled } from '../../report/problem.ts';
import { checkBands } from '../check-bands.ts';
import { placeByPoints } from '../georeference.ts';
import { type GeoTiffOptions, type GeoTiffScene, tiffScene } from '../geotiff.ts';
import { groundSampleDistance } from '../ground-sample-distance.ts';
import type { RadarProduct } from '../radar-product.ts';
import type { BandHeader, SceneHeader } from '../scene.ts';
import { type ByteSource, readTiff } from '../tiff-file.ts';
import { type Annotation, checkFootprint, groundPoints, parseAnnotation } from './annotation.ts';
import type { Manifest } from './manifest.ts';
import type { ProductFiles } from './product-files.ts';
import { parseCalibration, parseNoise, type RadarTables } from './radar-tables.ts';

/** One polarisation: its annotation, and where its pixels and tables lie. */
interface Channel {
  annotation: Annotation;
  measurement: string;
  calibration: string | null;
  noise: string | null;
}

/** Corners further from the manifest's than this (metres) are told of. */
const footprintTolerance = 30;
const polarisations = ['VV', 'HH', 'VH', 'HV'];
/** Wave mode's products are some two hundred small images; others have up to ten. */
const mostImages = 512;

/**
 * Opens a Sentinel-1 level 1 product: one band for each polarisation, co-polarised first, holding amplitudes as stored
 * (digital numbers; 0 is nodata). Of a complex product (SLC) the magnitude of its first swath. Placed by the annotation's
 * geolocation grid. Closing the scene closes `files`.
 */
export async function openSentinel1(
  path: string,
  files: ProductFiles,
  manifest: Manifest,
  options: GeoTiffOptions,
  signal?: AbortSignal,
): Promise<GeoTiffScene> {
  const warnings: string[] = [];
  const channels = await channelsOf(path, files, manifest, warnings, signal);
  const first = channels[0]!.annotation;
  const share = { ...options, cacheBytes: Math.floor(options.cacheBytes / channels.length) };
  const measurements: GeoTiffScene[] = [];
  try {
    for (const channel of channels) {
      throwIfCancelled(signal);
      measurements.push(await openMeasurement(path, files, channel, share, signal));
    }
  } catch (failure) {
    for (const opened of measurements) await opened.close();
    throw failure;
  }
  const header = headerOf(path, first, channels, measurements, warnings, manifest);
  const tables = new Map<number, Promise<RadarTables | null>>();
  const radar: RadarProduct = {
    quantity: 'amplitude',
    looks: first.looks,
    spacing: { range: first.rangeSpacing, azimuth: first.azimuthSpacing },
    noiseRemoved: first.noiseRemoved,
    tables(band) {
      const channel = channels[band];
      if (channel === undefined) throw new RangeError(`band ${band} of ${channels.length}`);
      const known = tables.get(band) ?? readTables(path, files, channel);
      tables.set(band, known);
      return known;
    },
  };
  return {
    header,
    radar,
    blockSize: measurements[0]!.blockSize,
    palette: null,
    async read(window, bands, level, stop) {
      checkBands(bands, measurements.length, path);
      const reads = [];
      for (const band of bands) reads.push(await measurements[band]!.read(window, [0], level, stop));
      const planes = reads.map((read) => read.planes[0]!);
      const valid = new Uint8Array(window.width * window.height).fill(1);
      for (const read of reads) for (let at = 0; at < valid.length; at++) valid[at]! &= read.valid[at]!;
      // Outside the swath every polarisation is 0; a dark pixel of one alone is honest.
      const empty = new Uint8Array(valid.length).fill(1);
      for (const plane of planes)
        for (let at = 0; at < empty.length; at++) if (plane[at] !== 0) empty[at] = 0;
      for (let at = 0; at < valid.length; at++) if (empty[at] === 1) valid[at] = 0;
      return { width: window.width, height: window.height, planes, valid };
    },
    blockReads: () => measurements.reduce((sum, scene) => sum + scene.blockReads(), 0),
    async close() {
      for (const opened of measurements) await opened.close();
      await files.close();
    },
  };
}

async function channelsOf(
  path: string,
  files: ProductFiles,
  manifest: Manifest,
  warnings: string[],
  signal: AbortSignal | undefined,
): Promise<Channel[]> {
  const found: Channel[] = [];
  const absent: string[] = [];
  const present = async (names: readonly string[], name: string): Promise<string | null> => {
    const listed = names.find((entry) => basename(entry).toLowerCase() === name);
    return listed !== undefined && (await files.has(listed)) ? listed : null;
  };
  const annotations = [...new Set(manifest.annotations)];
  if (annotations.length > mostImages) {
    throw new Problem(
      'scene/corrupt',
      `${path}: its manifest names ${annotations.length} images, more than any product holds.`,
      'Download the product again.',
    );
  }
  for (const name of annotations) {
    throwIfCancelled(signal);
    const stem = basename(name)
      .replace(/\.xml$/i, '')
      .toLowerCase();
    const measurement =
      (await present(manifest.measurements, `${stem}.tiff`)) ??
      (await present(manifest.measurements, `${stem}.tif`));
    if (measurement === null || !(await files.has(name))) {
      absent.push(stem.split('-').slice(1, 4).join(' ').toUpperCase());
      continue;
    }
    found.push({
      annotation: parseAnnotation(await files.text(name), `${path}/${name}`),
      measurement,
      calibration: await present(manifest.calibrations, `calibration-${stem}.xml`),
      noise: await present(manifest.noises, `noise-${stem}.xml`),
    });
  }
  if (found.length === 0) {
    throw new Problem(
      'scene/incomplete-product',
      `${path} holds none of the images that its manifest names.`,
      'Download the product again, whole; annotations alone cannot be shown.',
    );
  }
  if (absent.length > 0) warnings.push(`not in the product: ${absent.join(', ')}`);
  const rank = ({ annotation }: Channel): number => {
    const place = polarisations.indexOf(annotation.polarisation);
    return place < 0 ? polarisations.length : place;
  };
  const swaths = [...new Set(found.map(({ annotation }) => annotation.swath))].sort();
  const chosen = found
    .filter(({ annotation }) => annotation.swath === swaths[0])
    .sort((a, b) => rank(a) - rank(b));
  const { productType, width, height } = chosen[0]!.annotation;
  if (productType === 'SLC') {
    const parts = swaths.length > 1 ? `, ${swaths[0]} of ${swaths.length} swaths alone` : '';
    warnings.push(
      `single look complex: magnitudes in slant range${parts}, bursts as they are; a GRD product suits better`,
    );
  }
  const other = chosen.find(({ annotation }) => annotation.width !== width || annotation.height !== height);
  if (other !== undefined) {
    throw new Problem(
      'scene/corrupt',
      `${path}: its polarisations differ in size (${width} × ${height}, ${other.annotation.width} × ${other.annotation.height}).`,
      'Download the product again.',
    );
  }
  if (chosen.some(({ calibration }) => calibration === null)) warnings.push('no calibration tables');
  return chosen;
}

async function openMeasurement(
  path: string,
  files: ProductFiles,
  { annotation, measurement }: Channel,
  options: GeoTiffOptions,
  signal: AbortSignal | undefined,
): Promise<GeoTiffScene> {
  const name = `${path}/${measurement}`;
  const source: ByteSource = await files.open(measurement, signal);
  try {
    const tiff = await readTiff(source, name);
    const place = { transform: pixelTransform, crs: null, note: null };
    const scene = tiffScene(name, tiff, source, place, [], [source], options);
    const { grid } = scene.header;
    if (grid.width !== annotation.width || grid.height !== annotation.height) {
      throw new Problem(
        'scene/corrupt',
        `${name} is ${grid.width} × ${grid.height} pixels, its annotation says ${annotation.width} × ${annotation.height}.`,
        'Download the product again.',
      );
    }
    return scene;
  } catch (failure) {
    await source.close();
    throw failure;
  }
}

async function readTables(path: string, files: ProductFiles, channel: Channel): Promise<RadarTables | null> {
  const { calibration, noise } = channel;
  if (calibration === null) return null;
  return {
    calibration: parseCalibration(await files.text(calibration), `${path}/${calibration}`),
    noise: noise === null ? null : parseNoise(await files.text(noise), `${path}/${noise}`),
  };
}

function headerOf(
  path: string,
  first: Annotation,
  channels: readonly Channel[],
  measurements: readonly GeoTiffScene[],
  warnings: string[],
  manifest: Manifest,
): SceneHeader {
  const wgs84 = findEpsg(4326);
  const place = wgs84 === null ? null : placeByPoints(groundPoints(first.grid), wgs84);
  if (place?.groundControl === undefined) warnings.push('its geolocation grid does not place it');
  const bands = channels.map(({ annotation }, index): BandHeader => {
    const known = polarisations.includes(annotation.polarisation);
    return {
      name: annotation.polarisation,
      role: known ? annotation.polarisation : null,
      type: measurements[index]!.header.bands[0]!.type,
      nodata: 0,
    };
  });
  const { compression, layout } = measurements[0]!.header.details;
  const details: Record<string, string> = {
    product: `${first.mission} ${first.mode} ${first.productType}, ${first.pass.toLowerCase()}`,
    acquired: `${first.startTime} UTC`,
    'pixel spacing': `${first.rangeSpacing} m in range, ${first.azimuthSpacing} m in azimuth`,
    looks: String(first.looks),
    compression: compression ?? '',
    layout: layout ?? '',
    georeference: place?.note ?? 'none: pixel coordinates',
  };
  if (first.productType === 'SLC') details.samples = 'complex, read as their magnitude';
  for (const { header } of measurements)
    if (header.details.warning !== undefined) warnings.push(header.details.warning);
  const check = checkFootprint(first, manifest.footprint);
  if (check?.worst === Number.POSITIVE_INFINITY)
    warnings.push("orbit and ranges contradict each other: the manifest's footprint is not checked");
  else if (check !== null) {
    const [top, bottom] = check.heights.map(Math.round);
    details.footprint = `the manifest's within ${check.worst.toFixed(1)} m, on terrain of ${top} m (first line) and ${bottom} m (last)`;
    if (check.worst > footprintTolerance)
      warnings.push(`the manifest's footprint is ${Math.round(check.worst)} m off the annotation`);
  }
  if (warnings.length > 0) details.warning = warnings.join('; ');
  const grid: SceneHeader['grid'] = {
    width: first.width,
    height: first.height,
    transform: place?.transform ?? pixelTransform,
    crs: place?.crs ?? null,
  };
  if (place?.groundControl !== undefined) grid.groundControl = place.groundControl;
  return {
    path,
    format: 'SAFE',
    grid,
    bands,
    overviews: [],
    groundSampleDistance: groundSampleDistance(grid),
    details,
  };
}
