/** A failure that the user can understand and act upon. Everything thrown at a border is one of these. */
export class Problem extends Error {
  /** Stable, machine-readable: `scene/not-a-raster`, `pack/corrupt`, `disk/full`, … */
  readonly code: string;
  /** What the user can do about it, one sentence. */
  readonly hint: string;

  constructor(code: string, message: string, hint = '', cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'Problem';
    this.code = code;
    this.hint = hint;
  }
}

/** Thrown when an `AbortSignal` stopped the work on the user's request. */
export class Cancelled extends Problem {
  constructor(message = 'Cancelled.', hint = '') {
    super('cancelled', message, hint);
    this.name = 'Cancelled';
  }
}

/** Throws `Cancelled` if the signal has fired. Call it between units of work. */
export function throwIfCancelled(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw signal.reason instanceof Problem ? signal.reason : new Cancelled();
}
