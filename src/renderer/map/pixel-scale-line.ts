import ScaleLine from 'ol/control/ScaleLine.js';
import type MapEvent from 'ol/MapEvent.js';

const pixelsPer: Record<string, number> = { μm: 1e-6, mm: 1e-3, m: 1, km: 1e3 };

/** A metric scale line that counts pixels where the map has no reference system. */
export class PixelScaleLine extends ScaleLine {
  override render(event: MapEvent): void {
    super.render(event);
    const text = this.element?.firstElementChild;
    if (!text || event.frameState?.viewState.projection.getUnits() !== 'pixels') return;
    const [, count, unit] = /^([\d.]+) (\S+)$/.exec(text.textContent ?? '') ?? [];
    const each = pixelsPer[unit ?? ''];
    if (each !== undefined) text.textContent = `${(Number(count) * each).toLocaleString()} px`;
  }
}
