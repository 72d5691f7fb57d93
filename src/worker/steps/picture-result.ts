import type { ClassEntry } from '../classmap/class-entry.ts';
import { GeoTiffReader } from '../classmap/geotiff-reader.ts';
import { chooseBands } from '../prep/choose-bands.ts';
import { openScene } from '../scene/open-scene.ts';
import { writePreview } from './preview.ts';
import type { TaskContext } from './task-context.ts';

export interface PictureRequest {
  /** An 8-bit scene. */
  scene: string;
  /** Its class map, of the same size. */
  classMap: string;
  classes: readonly ClassEntry[];
  /** One line at the bottom, or null. */
  note: string | null;
  /** The PNG to write. */
  out: string;
}

/** Writes a picture of a scene beside its class map, with a legend. */
export async function pictureResult(request: PictureRequest, context: TaskContext): Promise<void> {
  const { signal } = context;
  const scene = await openScene(request.scene, signal);
  try {
    const map = await GeoTiffReader.open(request.classMap);
    try {
      const { width, height } = map;
      const bands = chooseBands(scene.header.bands);
      await writePreview(
        {
          width,
          height,
          classes: request.classes,
          ...(request.note !== null && { note: request.note }),
          async readColours(window) {
            const { planes } = await scene.read(window, bands, 0, signal);
            const size = window.width * window.height;
            const colours = new Uint8Array(3 * size);
            for (let band = 0; band < 3; band++) colours.set(planes[band]!, band * size);
            return colours;
          },
          // The picture asks for whole rows.
          readClasses: (window) =>
            map.readRows(
              window.row,
              window.height,
              map.sampleType === 'uint16'
                ? new Uint16Array(width * window.height)
                : new Uint8Array(width * window.height),
              signal,
            ),
        },
        request.out,
        signal,
      );
    } finally {
      await map.close();
    }
  } finally {
    await scene.close();
  }
}
