/**
 * Seeded random numbers (sfc32, C. Doty-Humphrey, public domain): the same seed gives the same sequence on every
 * machine. `fork` starts an independent sequence by name, so that one stage drawing more numbers does not change another.
 */
export class Random {
  readonly #seed: number;
  #a: number;
  #b: number;
  #c: number;
  #counter = 1;

  constructor(seed: number) {
    this.#seed = seed >>> 0;
    this.#a = mix(this.#seed);
    this.#b = mix(this.#a ^ 0x9e3779b9);
    this.#c = mix(this.#b ^ (Math.floor(seed / 0x100000000) >>> 0));
    for (let i = 0; i < 12; i++) this.next();
  }

  /** Uniform in [0, 1), 32 bits. */
  next(): number {
    const sum = (this.#a + this.#b + this.#counter) | 0;
    this.#counter = (this.#counter + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = (((this.#c << 21) | (this.#c >>> 11)) + sum) | 0;
    return (sum >>> 0) / 0x100000000;
  }

  /** Uniform in [low, high). */
  range(low: number, high: number): number {
    return low + (high - low) * this.next();
  }

  /** Uniform in 0 … count - 1. */
  integer(count: number): number {
    return Math.floor(this.next() * count);
  }

  chance(probability: number): boolean {
    return this.next() < probability;
  }

  pick<T>(choices: readonly T[]): T {
    return choices[this.integer(choices.length)]!;
  }

  /** An independent sequence that depends on this one's seed and on `name` only. */
  fork(name: string): Random {
    let hash = mix(this.#seed ^ 0x85ebca6b);
    for (let i = 0; i < name.length; i++) hash = mix(hash ^ name.charCodeAt(i));
    return new Random(hash);
  }
}

/** Finaliser of MurmurHash3: a bijection of 32-bit integers that spreads every bit. */
function mix(value: number): number {
  let v = (value + 0x6d2b79f5) | 0;
  v = Math.imul(v ^ (v >>> 16), 0x85ebca6b);
  v = Math.imul(v ^ (v >>> 13), 0xc2b2ae35);
  return (v ^ (v >>> 16)) >>> 0;
}
