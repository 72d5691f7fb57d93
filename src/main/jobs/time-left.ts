import type { Progress } from '../../worker/report/progress.ts';

/** Milliseconds after which a rate counts half. */
const halfLife = 15_000;
/** Milliseconds before the first guess, and between samples. */
const firstGuess = 1000;
const sampleEvery = 200;

/** Guesses how long a phase will take yet from how fast it went lately. Times are milliseconds of any clock. */
export class TimeLeft {
  #phase: string | null = null;
  #start = 0;
  #time = 0;
  #done = 0;
  /** Sums of work and time in which the past fades. */
  #work = 0;
  #span = 0;
  #left: number | null = null;

  report({ phase, done, total }: Progress, now: number): void {
    if (phase !== this.#phase) {
      this.#phase = phase;
      this.#start = now;
      this.#time = now;
      this.#done = done;
      this.#work = 0;
      this.#span = 0;
      this.#left = null;
      return;
    }
    const elapsed = now - this.#time;
    if (elapsed >= sampleEvery) {
      const fade = 2 ** (-elapsed / halfLife);
      this.#work = this.#work * fade + (done - this.#done);
      this.#span = this.#span * fade + elapsed;
      this.#time = now;
      this.#done = done;
    }
    if (this.#work > 0 && now - this.#start >= firstGuess)
      this.#left = (Math.max(0, total - this.#done) * this.#span) / this.#work;
  }

  /** Milliseconds, counting down between reports; null while there is nothing to go by. */
  at(now: number): number | null {
    return this.#left === null ? null : Math.max(0, this.#left - (now - this.#time));
  }
}
