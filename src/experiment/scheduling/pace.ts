/** What work may take at once before it has to make breaks. */
const BURST_MS = 20;
/** Of the time, in the long run. */
const SHARE = 0.5;

/**
 * Bounds the time that some work takes of its thread, so that messages are read meanwhile: after a
 * burst it pauses for as long as it took.
 */
export class Pace {
  readonly #monotonicMs: () => number;
  #leftMs = BURST_MS;
  #lastMs: number;

  constructor(monotonicMs: () => number) {
    this.#monotonicMs = monotonicMs;
    this.#lastMs = monotonicMs();
  }

  /** How long it has to pause from now on; 0: it may do the next piece. */
  pauseMs(): number {
    const nowMs = this.#monotonicMs();
    this.#leftMs = Math.min(BURST_MS, this.#leftMs + SHARE * (nowMs - this.#lastMs));
    this.#lastMs = nowMs;
    return this.#leftMs > 0 ? 0 : Math.ceil((1 - this.#leftMs) / SHARE);
  }

  /** Does a piece of the work. */
  spend(act: () => void): void {
    const startMs = this.#monotonicMs();
    try {
      act();
    } finally {
      this.#leftMs -= this.#monotonicMs() - startMs;
    }
  }
}
