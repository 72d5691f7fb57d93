import { Problem } from '../../report/problem.ts';
import type { GeoTiffOptions, GeoTiffScene } from '../geotiff.ts';
import { parseManifest } from './manifest.ts';
import { type ProductFiles, productFolder } from './product-files.ts';
import { openSentinel1 } from './sentinel1.ts';
import { openSentinel2, sentinel2Bands } from './sentinel2.ts';

/** Opens a SAFE product; null where the folder or archive holds no manifest. Throws as `openScene` does. */
export async function openProduct(
  path: string,
  kind: 'folder' | 'zip',
  options: GeoTiffOptions,
  signal?: AbortSignal,
): Promise<GeoTiffScene | null> {
  const files = kind === 'folder' ? await productFolder(path) : await zipFiles(path);
  if (files === null) return null;
  try {
    if (!(await files.has('manifest.safe'))) {
      await files.close();
      return null;
    }
    const manifest = parseManifest(await files.text('manifest.safe'), `${path}/manifest.safe`);
    if (sentinel2Bands(manifest.files).length > 0)
      return await openSentinel2(path, files, manifest.files, options, signal);
    if (manifest.family !== 'SENTINEL-1' || manifest.annotations.length === 0) {
      throw new Problem(
        'scene/unsupported',
        `${path} is a product of ${manifest.family || 'an unnamed satellite'} that is not read yet.`,
        'Products of Sentinel-1 level 1 and Sentinel-2 are; of others, open the bands’ files, joined by +.',
      );
    }
    return await openSentinel1(path, files, manifest, options, signal);
  } catch (failure) {
    await files.close();
    throw failure;
  }
}

async function zipFiles(path: string): Promise<ProductFiles | null> {
  const { productZip } = await import('./product-zip.ts');
  return productZip(path);
}
