import type { SceneShift } from '../../worker/steps/scene-shift.ts';
import { EngineThread } from '../engine/engine-thread.ts';
import type { RunOptions } from './watch.ts';

export interface ShiftInput {
  first: string;
  second: string;
  /** Metres of the pixels compared; null: those of the coarser scene. */
  resolution?: number | null;
  /** Largest shift looked for, pixels compared. */
  reach?: number;
}

const cacheBytes = 256 * 2 ** 20;

/** How far the second scene lies from the first, in a thread of its own. */
export async function runShift(input: ShiftInput, options: RunOptions = {}): Promise<SceneShift> {
  const thread = new EngineThread('shift');
  try {
    const { signal, onProgress } = options;
    const { first, second, resolution = null, reach = 32 } = input;
    return await thread.run(
      'sceneShift',
      { first, second, resolution, reach, cacheBytes },
      { signal, onProgress },
    );
  } finally {
    await thread.close();
  }
}

/** The shift in words. */
export function shiftText(shift: SceneShift, first: string, second: string): string {
  const { columns, rows, metres, correction, confidence, spread, windows } = shift;
  const along = [
    `${Math.abs(columns).toFixed(2)} ${columns < 0 ? 'left' : 'right'}`,
    `${Math.abs(rows).toFixed(2)} ${rows < 0 ? 'up' : 'down'}`,
  ].join(', ');
  const lines = [
    `${second} lies ${Math.hypot(columns, rows).toFixed(2)} pixels from ${first} (${along})${metres === null ? '' : `, ${metres.toFixed(1)} m`}`,
    `Confidence ${confidence.toFixed(2)}: ${Math.round(confidence * windows)} of ${windows} windows agree within ${spread.toFixed(2)} pixels (median).`,
    `To lay it on the first, add ${correction.map((value) => Number(value.toPrecision(6))).join(', ')} to its coordinates.`,
  ];
  if (confidence < 0.2) lines.push('Few windows agree: take this for a guess, no measurement.');
  return lines.join('\n');
}
