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

  /** Whether this turn has lasted long enough, so that others should have theirs. */
  get isOver(): boolean {
    return this.#monotonicMs() - this.#beganMs >= TURN_MS;
  }

  /** Call after each piece: lets the others in when this turn is over. */
  async next(): Promise<void> {
    if (!this.isOver) return;
    await new Promise<void>((resolve) => setImmediate(resolve));
    this.#beganMs = this.#monotonicMs();
  }
}
