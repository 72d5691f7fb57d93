import { columnsAddress } from '../../main/rpc/addresses.ts';

/** All attributes of a layer's polygons, one array a column. */
export interface Columns {
  count: number;
  fid: Int32Array;
  classId: Int32Array;
  /** 0-1. */
  confidence: Float32Array;
  /** Square metres. */
  area: Float64Array;
  /** Metres. */
  perimeter: Float64Array;
}

let last: { address: string; columns: Promise<Columns> } | null = null;

/** The layer's columns; those asked for last are kept until it changes. */
export function loadColumns(layer: { table: string; version: string }): Promise<Columns> {
  const address = columnsAddress(layer);
  if (last?.address === address) return last.columns;
  const columns = fetch(address).then(async (reply) => {
    if (!reply.ok) throw new Error(await reply.text());
    return parseColumns(await reply.arrayBuffer());
  });
  last = { address, columns };
  columns.catch(() => {
    last = null;
  });
  return columns;
}

/** As `addresses.ts` lays them out: every column begins at a multiple of eight bytes. */
export function parseColumns(buffer: ArrayBuffer): Columns {
  const count = new DataView(buffer).getUint32(0, true);
  let at = 8;
  const next = (bytes: number): number => {
    const start = at;
    at += Math.ceil((count * bytes) / 8) * 8;
    return start;
  };
  return {
    count,
    fid: new Int32Array(buffer, next(4), count),
    classId: new Int32Array(buffer, next(4), count),
    confidence: new Float32Array(buffer, next(4), count),
    area: new Float64Array(buffer, next(8), count),
    perimeter: new Float64Array(buffer, next(8), count),
  };
}
