export { extentOfNode, mapActions } from './actions.ts';
export { MapPanel } from './MapPanel.tsx';
export { mapSystem, type MapSystem, systemNamed } from './projection.ts';
