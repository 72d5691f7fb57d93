import type { Desktop } from '../desktop.ts';
import { calls } from './base.ts';
import { notReady } from './scene-calls.ts';

export function layerCalls(_desktop: Desktop) {
  const later = () => {
    throw notReady();
  };
  return {
    at: calls.layers.at.handler(later),
    touching: calls.layers.touching.handler(later),
    polygon: calls.layers.polygon.handler(later),
    extent: calls.layers.extent.handler(later),
    changeClass: calls.layers.changeClass.handler(later),
    remove: calls.layers.remove.handler(later),
    merge: calls.layers.merge.handler(later),
    split: calls.layers.split.handler(later),
    reshape: calls.layers.reshape.handler(later),
    style: calls.layers.style.handler(later),
    drop: calls.layers.drop.handler(later),
    export: calls.layers.export.handler(later),
    simplified: calls.layers.simplified.handler(later),
    difference: calls.layers.difference.handler(later),
  };
}
