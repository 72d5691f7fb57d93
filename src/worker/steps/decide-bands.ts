import type { MessagePort } from 'node:worker_threads';
import { RowDecider } from '../classmap/decide.ts';
import { CoordinateReader } from '../features/coordinate-store.ts';
import { FeatureReader } from '../features/feature-store.ts';
import { damagedStore } from '../features/record-log.ts';
import { blockComparer } from './compare-block.ts';
import { coordinateLabeller } from './coordinate-labeller.ts';
import { CoordinateRows } from './coordinate-rows.ts';
import { type BandQuestion, type BandSettings, bandArrays } from './decided-source.ts';
import { outputRows } from './output-rows.ts';
import { serveWindows } from './remote-lane.ts';

export interface DecideBandsRequest {
  /** The store. */
  folder: string;
  upsample: boolean;
  /** Normalised word embeddings `[words, embedding]`. */
  embeddings: Float32Array;
  port: MessagePort;
}

/**
 * Decides the bands that come through the port until it closes, and returns their number. Answers are the bytes of
 * `bandArrays`.
 */
export async function decideBands({
  folder,
  upsample,
  embeddings,
  port,
}: DecideBandsRequest): Promise<number> {
  // The other end may close before the store is open.
  let closed = false;
  port.once('close', () => {
    closed = true;
  });
  const opened: { close(): Promise<void> }[] = [];
  try {
    const features = await FeatureReader.open(folder, {});
    opened.push(features);
    const coordinates = await CoordinateReader.open(folder, coordinateLabeller(upsample));
    if (coordinates === null) throw damagedStore(folder);
    opened.push(coordinates);
    const compare = blockComparer(coordinates, embeddings);
    let settings: BandSettings;
    let rows: CoordinateRows;
    const answer = async ({ part, settings: told }: BandQuestion): Promise<Uint8Array> => {
      if (told) {
        settings = told;
        rows = new CoordinateRows(features, coordinates.header, compare, told.plan, embeddings, told.lambda);
      }
      const { plan, scale, rule } = settings;
      const decider = new RowDecider(rule, part.width);
      const { bytes, classes, confidence } = bandArrays(part.width * part.height, rule);
      const map = { width: plan.columns.size, height: plan.rows.size, scale };
      let at = 0;
      for await (const { means, valid } of outputRows(rows, map, part)) {
        decider.decide(means, valid, classes, confidence, at);
        at += part.width;
      }
      return bytes;
    };
    return closed ? 0 : await serveWindows(port, ({ band }) => answer(band!));
  } finally {
    port.close();
    for (const one of opened) await one.close();
  }
}
