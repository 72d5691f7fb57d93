import type { PolygonLayerDescription } from '../../../src/main/project/geopackage.ts';
import type { ClassEntry } from '../../../src/worker/classmap/class-entry.ts';
import type { Crs } from '../../../src/worker/raster/crs.ts';

/** A layer that came of no run, for tests and benches that need polygons in a project and nothing else. */
export function plainLayer(name: string, crs: Crs | null, classes: ClassEntry[]): PolygonLayerDescription {
  return {
    name,
    description: '',
    crs,
    classes,
    provenance: {
      program: 'test',
      version: '0',
      date: '2026-01-01T00:00:00.000Z',
      scene: '',
      sceneFingerprint: '',
      pack: '',
      packChecksum: '',
      classes,
      settings: {},
    },
    style: { name: 'classes', qml: '', sld: '' },
  };
}
