import { blockHeight } from '../features/coordinate-store.ts';
import type { Window } from '../raster/grid.ts';
import { CoordinateRows } from './coordinate-rows.ts';
import { type BandSettings, bandArrays, type DecidedRows, type DecidedSource } from './decided-source.ts';
import type { RemoteLane } from './remote-lane.ts';

/** Bands that a lane is asked for before it has answered the first. */
const asked = 2;

/** A stored scene decided by lanes (`decide-bands.ts`), a band of rows at a time: no encoder, no upsampler, no picture. */
export class LaneBands implements DecidedSource {
  readonly words: number;
  readonly rowsHeld: number;
  readonly bytesAhead: number;
  readonly #lanes: readonly RemoteLane<Uint8Array<ArrayBuffer>>[];
  readonly #settings: BandSettings;
  readonly #told = new Set<RemoteLane<Uint8Array<ArrayBuffer>>>();

  constructor(lanes: readonly RemoteLane<Uint8Array<ArrayBuffer>>[], settings: BandSettings) {
    this.#lanes = lanes;
    this.#settings = settings;
    this.words = settings.rule.wordClasses.length;
    // Answers are small beside what lanes hold.
    const held = CoordinateRows.bytesHeld(this.words);
    this.rowsHeld = Math.ceil((lanes.length * held.perColumn) / (4 * this.words));
    this.bytesAhead = lanes.length * held.ahead;
  }

  async *decide(
    part: Window,
    signal: AbortSignal | undefined,
    onShare: (share: number) => void,
  ): AsyncGenerator<DecidedRows> {
    const { scale, rule } = this.#settings;
    // Where rows are interpolated, bands share working rows with their neighbours: fewer of them.
    const height = scale === 1 ? blockHeight : 4 * blockHeight;
    const end = part.row + part.height;
    const queue: { rows: number; answer: Promise<Uint8Array<ArrayBuffer>> }[] = [];
    let next = part.row;
    let lane = 0;
    const fill = () => {
      while (queue.length < asked * this.#lanes.length && next < end) {
        // Bands end where rows of blocks do.
        const until = Math.min(end, next - (next % height) + height);
        const answer = this.#ask(
          lane++ % this.#lanes.length,
          { ...part, row: next, height: until - next },
          signal,
        );
        answer.catch(() => {});
        queue.push({ rows: until - next, answer });
        next = until;
      }
    };
    let done = 0;
    try {
      fill();
      while (queue.length > 0) {
        const { rows, answer } = queue.shift()!;
        const bytes = await answer;
        fill();
        const { classes, confidence } = bandArrays(rows * part.width, rule, bytes);
        yield { rows, classes, confidence };
        done += rows;
        onShare(done / part.height);
      }
    } finally {
      await Promise.allSettled(queue.map(({ answer }) => answer));
    }
  }

  #ask(number: number, part: Window, signal: AbortSignal | undefined): Promise<Uint8Array<ArrayBuffer>> {
    const lane = this.#lanes[number]!;
    const band = this.#told.has(lane) ? { part } : { part, settings: this.#settings };
    this.#told.add(lane);
    return lane.ask({ pixels: new Float32Array(0), height: 0, width: 0, band }, signal);
  }
}
