import type { PolygonLook } from './paint-polygons.ts';

/** What the window says to the thread that paints. */
export type PaintMessage =
  /** How a picture's polygons look from now on; tiles asked for with an older look are of no use. */
  | { kind: 'look'; picture: number; version: number; look: PolygonLook }
  | {
      kind: 'tile';
      id: number;
      picture: number;
      version: number;
      address: string;
      zoom: number;
      density: number;
    }
  | { kind: 'cancel'; id: number }
  /** A picture that is shown no more. */
  | { kind: 'forget'; picture: number };

/** A tile's answer; null: nothing is on it. */
export type PaintReply = { id: number; bitmap: ImageBitmap | null } | { id: number; problem: string };
