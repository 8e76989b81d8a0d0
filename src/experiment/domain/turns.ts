/** How long one piece of work may keep calls, timers and signals waiting. */
const TURN_MS = 20;

/** Splits long work into turns, between which other work runs. */
export class Turns {
  readonly #monotonicMs: () => number;
  #beganMs: number;

  constructor(monotonicMs: () => number) {
    this.#monotonicMs = monotonicMs;
    this.#beganMs = monotonicMs();
  }

  /** Whether this turn has lasted long enough to let other work run. */
  get isOver(): boolean {
    return this.#monotonicMs() - this.#beganMs >= TURN_MS;
  }

  /** Call after each piece: lets other work run when this turn is over. */
  async next(): Promise<void> {
    if (!this.isOver) return;
    await new Promise<void>((resolve) => setImmediate(resolve));
    this.#beganMs = this.#monotonicMs();
  }
}
