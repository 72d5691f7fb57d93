/** What an encoder makes of one window, whatever the words: enough to answer any prompt later. */
export interface EncodedWindow {
  /** Tokens along the window's height and width. */
  rows: number;
  columns: number;
  /** Dense features before normalisation, `[rows · columns, embedding]`. */
  tokens: Float32Array;
  /** The class token of the same output, `[embedding]`. */
  cls: Float32Array;
}
