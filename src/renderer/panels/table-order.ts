import type { Columns } from '../connection/columns.ts';

export const columnNames = ['fid', 'class', 'confidence', 'area', 'perimeter'] as const;
export type ColumnName = (typeof columnNames)[number];

export interface TableView {
  sort: ColumnName;
  ascending: boolean;
  /** Class ids shown; null: all. */
  classes: ReadonlySet<number> | null;
  /** Least confidence and area. */
  confidence: number;
  area: number;
  /** Fids shown; null: all. */
  only: ReadonlySet<number> | null;
}

/** Rows of the columns that the view shows, in its order; equal values keep the order of the file. */
export function orderRows(columns: Columns, view: TableView): Uint32Array {
  const rows = new Uint32Array(columns.count);
  let count = 0;
  for (let row = 0; row < columns.count; row++) {
    if (view.classes && !view.classes.has(columns.classId[row]!)) continue;
    if (columns.confidence[row]! < view.confidence || columns.area[row]! < view.area) continue;
    if (view.only && !view.only.has(columns.fid[row]!)) continue;
    rows[count++] = row;
  }
  const values = {
    fid: columns.fid,
    class: columns.classId,
    confidence: columns.confidence,
    area: columns.area,
    perimeter: columns.perimeter,
  }[view.sort];
  const kept = rows.subarray(0, count);
  kept.sort(
    view.ascending ? (a, b) => values[a]! - values[b]! || a - b : (a, b) => values[b]! - values[a]! || a - b,
  );
  return kept;
}
