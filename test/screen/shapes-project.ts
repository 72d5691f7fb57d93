import { crsSetting } from '../../src/main/desktop/open-project.ts';
import { ProjectStore } from '../../src/main/project/project-store.ts';
import { storedForm } from '../../src/main/project/stored-crs.ts';
import { crsFromEpsg } from '../../src/worker/raster/crs.ts';
import type { PolygonFeature } from '../../src/worker/vector/feature.ts';
import { plainLayer } from '../main/project/plain-layer.ts';

const colours = ['#e69f00', '#56b4e9', '#009e73'];

/** Stepped shapes on a part of the scene, some with holes. */
function shapes(): PolygonFeature[] {
  return Array.from({ length: 96 }, (_, index) => {
    const left = 346_040 + (index % 12) * 36;
    const bottom = 5_647_950 - Math.floor(index / 12) * 36 - 30;
    const width = 12 + ((index * 7) % 17);
    const height = 12 + ((index * 11) % 17);
    const ring = [
      ...[left, bottom, left + width, bottom, left + width, bottom + height / 2],
      ...[left + width / 2, bottom + height / 2, left + width / 2, bottom + height, left, bottom + height],
      ...[left, bottom],
    ];
    const hole = [
      ...[left + 2, bottom + 2, left + 2, bottom + 5, left + 5, bottom + 5],
      ...[left + 5, bottom + 2, left + 2, bottom + 2],
    ];
    const rings = index % 5 === 0 ? [ring, hole] : [ring];
    return {
      classId: 1 + (index % 3),
      confidence: ((index * 13) % 100) / 100,
      area: 0.75 * width * height,
      perimeter: 2 * (width + height),
      rings: rings.map((each) => Float64Array.from(each)),
    };
  });
}

/** A project with the Cologne scene and 96 polygons of three classes over it. */
export async function writeProject(file: string, raster: string): Promise<void> {
  const store = await ProjectStore.create(file);
  const classes = ['building', 'road', 'tree'].map((name, index) => ({
    id: index + 1,
    name,
    words: [name],
    colour: colours[index]!,
  }));
  const crs = crsFromEpsg(25832);
  store.saveSetting(crsSetting, storedForm(crs), 'System');
  await store.addScene(raster);
  const layer = store.addLayer(plainLayer('Shapes', crs, classes));
  layer.add(shapes());
  layer.finish();
  store.close();
}
