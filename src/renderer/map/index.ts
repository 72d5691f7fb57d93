export { extentOfNode, mapActions } from './actions.ts';
export { MapPanel } from './MapPanel.tsx';
export { type MapSystem, mapSystem, systemNamed } from './projection.ts';
