import { join } from 'node:path';
import { Problem, throwIfCancelled } from '../../report/problem.ts';
import { type StackedBand, stackBands } from '../band-stack.ts';
import type { GeoTiffOptions, GeoTiffScene } from '../geotiff.ts';
import { openJpeg2000From } from '../jpeg2000/open-jpeg2000.ts';
import type { ProductFiles } from './product-files.ts';

/** JPEG 2000 hardly compresses further: archives store it as it is, and it is read in place. */
const mostUnpacked = 256 * 2 ** 20;

const roles: Record<string, string> = { B02: 'blue', B03: 'green', B04: 'red', B08: 'near-infrared' };

/** Names of a manifest's files that are a band's pixels: `…/IMG_DATA/…_B02.jp2`, or with its resolution, `…_B02_10m.jp2`. */
export function sentinel2Bands(names: readonly string[]): { name: string; band: string; metres: number }[] {
  return names.flatMap((name) => {
    const match = /\/IMG_DATA\/(?:R\d+m\/)?[^/]*_(B(?:0[1-9]|1[0-2]|8A))(?:_(\d+)m)?\.jp2$/i.exec(name);
    return match ? [{ name, band: match[1]!.toUpperCase(), metres: Number(match[2] ?? 0) }] : [];
  });
}

/**
 * Opens a Sentinel-2 product (level 1C or 2A), a folder or an archive: every spectral band that is there at its finest resolution, on the
 * 10 m grid. 0 is nodata (product specification S2-PDGS-TAS-DI-PSD).
 */
export async function openSentinel2(
  path: string,
  files: ProductFiles,
  names: readonly string[],
  options: GeoTiffOptions,
  signal?: AbortSignal,
): Promise<GeoTiffScene> {
  const listed = sentinel2Bands(names);
  const granules = new Set(listed.map(({ name }) => name.split('/IMG_DATA/')[0]));
  if (granules.size > 1) {
    throw new Problem(
      'scene/unsupported',
      `${path} holds ${granules.size} granules; products of one are read.`,
      'Open the .jp2 bands in a granule’s IMG_DATA folder, joined by +.',
    );
  }
  const chosen = new Map<string, { name: string; metres: number }>();
  const missing: string[] = [];
  for (const { name, band, metres } of listed) {
    const known = chosen.get(band);
    if (known !== undefined && known.metres <= metres) continue;
    if (await files.has(name)) chosen.set(band, { name, metres });
    else missing.push(name.split('/').at(-1)!);
  }
  if (chosen.size === 0) {
    throw new Problem(
      'scene/incomplete-product',
      `${path} holds none of the bands that its manifest names.`,
      'Download the product again, whole.',
    );
  }
  const unpacked = [...chosen.values()].reduce((sum, { name }) => sum + files.unpackedBytes(name), 0);
  if (unpacked > mostUnpacked) {
    throw new Problem(
      'scene/unsupported',
      `${path} is compressed: its bands would be unpacked to ${Math.round(unpacked / 1e6)} MB each time it is opened.`,
      'Unpack it, and open the .SAFE folder.',
    );
  }
  // B8A stands between B08 and B09.
  const order = [...chosen.keys()].sort((a, b) => spectral(a) - spectral(b));
  const share = { ...options, cacheBytes: Math.floor(options.cacheBytes / order.length) };
  const opened: GeoTiffScene[] = [];
  try {
    const bands: StackedBand[] = [];
    for (const band of order) {
      throwIfCancelled(signal);
      const { name } = chosen.get(band)!;
      const scene = await openJpeg2000From(join(path, name), await files.open(name, signal), share);
      opened.push(scene);
      const header = { ...scene.header.bands[0]!, name: band, role: roles[band] ?? null };
      bands.push({ scene, band: 0, header, nodata: 0 });
    }
    const details: Record<string, string> = { product: 'Sentinel-2' };
    const lost = missing.filter((name) => !order.some((band) => name.includes(`_${band}`)));
    if (lost.length > 0) details.warning = `not in the product: ${lost.join(', ')}`;
    const stack = stackBands(path, 'SAFE', bands, details);
    return {
      ...stack,
      async close() {
        await stack.close();
        await files.close();
      },
    };
  } catch (failure) {
    for (const scene of opened) await scene.close();
    throw failure;
  }
}

function spectral(band: string): number {
  return band === 'B8A' ? 8.5 : Number(band.slice(1));
}
