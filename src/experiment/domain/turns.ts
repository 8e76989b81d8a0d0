/** So long may one piece of work keep calls, timers and signals waiting. */
const TURN_MS = 20;

/** Long work in pieces, between which others have their turn. */
export class Turns {
  readonly #monotonicMs: () => number;
  #beganMs: number;

  constructor(monotonicMs: () => number) {
    this.#monotonicMs = monotonicMs;
    this.#beganMs = monotonicMs();
  }

  /** Call after each piece: lets the others in when this turn has lasted long enough. */
  async next(): Promise<void> {
    if (this.#monotonicMs() - this.#beganMs < TURN_MS) return;
    await new Promise<void>((resolve) => setImmediate(resolve));
    this.#beganMs = this.#monotonicMs();
  }
}
