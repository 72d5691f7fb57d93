import { useText } from '../texts/use-text.ts';

export interface Areas {
  unit: 'm²' | 'pixels';
  rows: readonly { id: number; name: string; area: number }[];
  /** Pixels of the first map that the second does not reach. */
  outside: number;
}

/** What each class of a difference covers, and its share of all of them. */
export function AreaTable({ areas, colours }: { areas: Areas; colours: ReadonlyMap<number, string> }) {
  const text = useText();
  const whole = areas.rows.reduce((sum, { area }) => sum + area, 0) || 1;
  return (
    <table className="areas" aria-label={text('areas.title')}>
      <thead>
        <tr>
          <th scope="col">{text('column.class')}</th>
          <th scope="col">{text('column.area')}</th>
          <th scope="col">%</th>
        </tr>
      </thead>
      <tbody>
        {areas.rows.map(({ id, name, area }) => (
          <tr key={id}>
            <td>
              <i style={{ background: colours.get(id) }} /> {name}
            </td>
            <td>{areaText(area, areas.unit)}</td>
            <td>{((100 * area) / whole).toFixed(1)}</td>
          </tr>
        ))}
      </tbody>
      {areas.outside > 0 && (
        <caption>{text('areas.outside', { pixels: areas.outside.toLocaleString() })}</caption>
      )}
    </table>
  );
}

/** `12,300 m²`, `1.234 km²`, `567 px²`. */
function areaText(area: number, unit: Areas['unit']): string {
  if (unit === 'pixels') return `${area.toLocaleString()} px²`;
  return area < 1e6 ? `${Math.round(area).toLocaleString()} m²` : `${(area / 1e6).toFixed(3)} km²`;
}
