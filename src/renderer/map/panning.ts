import type MapBrowserEvent from 'ol/MapBrowserEvent.js';

let spaceDown = false;
window.addEventListener('keydown', (event) => {
  const field = (event.target as HTMLElement).closest('input, textarea, select, button, [role=dialog]');
  if (event.code === 'Space' && !field) spaceDown = true;
});
window.addEventListener('keyup', (event) => {
  if (event.code === 'Space') spaceDown = false;
});
window.addEventListener('blur', () => {
  spaceDown = false;
});

/** Whether a drag pans whatever the tool: by the middle button, or while the space bar is down. */
export function pansAlways(event: MapBrowserEvent): boolean {
  const pointer = event.originalEvent as PointerEvent;
  return pointer.button === 1 || pointer.buttons === 4 || spaceDown;
}
