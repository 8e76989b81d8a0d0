const FIRST_PAUSE_MS = 5_000;
const LONGEST_PAUSE_MS = 300_000;

/** A reason to wait. */
export interface Fault {
  readonly reason: string;
  /** On the monotonic clock. */
  readonly untilMs: number;
}

/** Waits after a failure: 5 s, then twice as long after each further one, up to 5 minutes. */
export class BackOff {
  readonly #monotonicMs: () => number;
  #pauseMs = FIRST_PAUSE_MS;
  #fault: Fault | undefined;

  constructor(monotonicMs: () => number) {
    this.#monotonicMs = monotonicMs;
  }

  /** What failed last, until something succeeds; undefined: nothing stands in the way. */
  get fault(): Fault | undefined {
    return this.#fault;
  }

  get isWaiting(): boolean {
    return this.#fault !== undefined && this.#monotonicMs() < this.#fault.untilMs;
  }

  /** Several failures within one wait, of what was tried at the same time, count as one. */
  fail(reason: string): void {
    if (this.isWaiting) return;
    this.#fault = { reason, untilMs: this.#monotonicMs() + this.#pauseMs };
    this.#pauseMs = Math.min(2 * this.#pauseMs, LONGEST_PAUSE_MS);
  }

  succeed(): void {
    this.#fault = undefined;
    this.#pauseMs = FIRST_PAUSE_MS;
  }
}
