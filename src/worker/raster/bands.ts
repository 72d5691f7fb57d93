/** One array per band; the element type is the scene's own. */
export type Samples =
  | Uint8Array
  | Int8Array
  | Uint16Array
  | Int16Array
  | Uint32Array
  | Int32Array
  | Float32Array
  | Float64Array;

/** Pixels of a window, planar: `planes[band][row · width + column]`. */
export interface Bands {
  width: number;
  height: number;
  planes: Samples[];
  /** 1 where the pixel holds a measurement, 0 for nodata, NaN, transparent or outside; `[height · width]`. */
  valid: Uint8Array;
}
