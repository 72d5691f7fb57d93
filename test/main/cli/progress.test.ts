import { describe, expect, it } from 'vitest';
import { createProgressDisplay, duration } from '../../../src/main/cli/progress.ts';

/** A stream that keeps what is written, and a clock that is set by hand. */
function screen(isTTY: boolean, columns = 100) {
  let text = '';
  let time = 0;
  const display = createProgressDisplay(
    {
      isTTY,
      columns,
      write: (part: string) => {
        text += part;
      },
    },
    false,
    () => time,
  );
  return {
    display,
    step(done: number, total: number, milliseconds: number) {
      time += milliseconds;
      display.report({ phase: 'segmenting', done, total, unit: 'windows' });
    },
    text: () => text,
  };
}

describe('progress', () => {
  it('redraws one line on a terminal and keeps the last state', () => {
    const { display, step, text } = screen(true);
    for (let done = 0; done <= 1000; done++) step(done, 1000, 10);
    display.end();
    const lines = text().split('\n');
    expect(lines).toHaveLength(2);
    const states = lines[0]!.split('\r\x1b[K').slice(1);
    expect(states.length).toBeLessThanOrEqual(102);
    expect(states.at(-1)).toContain('100 %');
    expect(states[50]).toMatch(/1,000 windows, about \d+ s left/);
  });

  it('never passes the width of the terminal', () => {
    const { step, text } = screen(true, 30);
    step(5, 10, 0);
    step(6, 10, 5000);
    for (const state of text().split('\r\x1b[K')) expect(state.length).toBeLessThan(30);
  });

  it('prints few lines elsewhere, the last at 100 %', () => {
    const { step, text } = screen(false);
    for (let done = 0; done <= 1000; done++) step(done, 1000, 30);
    const lines = text().trim().split('\n');
    expect(lines.length).toBeLessThanOrEqual(11);
    expect(lines.at(-1)).toBe('segmenting 100 %, 1,000/1,000 windows');
    expect(text()).not.toContain('\r');
  });

  it('is silent when asked', () => {
    let written = 0;
    const display = createProgressDisplay({ isTTY: true, write: () => written++ }, true);
    display.report({ phase: 'segmenting', done: 1, total: 2, unit: 'windows' });
    display.note('a note');
    display.end();
    expect(written).toBe(0);
  });

  it('says spans of time as people do', () => {
    expect([400, 59_400, 61_000, 3_600_000 * 2 + 60_000].map(duration)).toEqual([
      '0 s',
      '59 s',
      '1 min 1 s',
      '2 h 1 min',
    ]);
  });
});
