/** A second process with a project: `hold FILE` keeps it open and writes when told; `fill FILE` writes until killed. */
import { ProjectStore } from '../../../src/main/project/project-store.ts';
import type { PolygonFeature } from '../../../src/worker/vector/feature.ts';
import { plainLayer } from './plain-layer.ts';

const [what, file] = process.argv.slice(2);
const store = await ProjectStore.open(file!);
if (what === 'hold') {
  const { access } = store;
  const reason = access.mode === 'read' ? `: ${access.reason}` : '';
  console.log(`open ${access.mode}, ${store.layers().length} layers${reason}`);
  process.stdin.on('data', () => {
    store.savePrompts([{ name: 'from the other process', words: ['a'], colour: '#000000', threshold: null }]);
    console.log('written');
  });
} else {
  const entry = { id: 1, name: 'a', words: ['a'], colour: '#000000' };
  const layer = store.addLayer(plainLayer('filling', null, [entry]));
  const batch = (start: number): PolygonFeature[] =>
    Array.from({ length: 2000 }, (_, i) => {
      const x = start + i;
      return {
        classId: 1,
        confidence: 1,
        area: 1,
        perimeter: 4,
        rings: [Float64Array.of(x, 0, x + 1, 0, x + 1, 1, x, 0)],
      };
    });
  layer.add(batch(0));
  console.log('writing');
  for (let start = 2000; ; start += 2000) layer.add(batch(start));
}
