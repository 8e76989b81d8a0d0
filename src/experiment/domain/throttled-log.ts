import type { Log } from "./ports.js";

/** One line for all that comes within this time. */
const INTERVAL_MS = 10_000;

/** Warnings that strangers can cause, as many as they like: the log gets few of them. */
export class ThrottledLog {
  readonly #log: Pick<Log, "warn">;
  readonly #monotonicMs: () => number;
  #loggedAtMs = Number.NEGATIVE_INFINITY;
  #numHeldBack = 0;

  constructor(log: Pick<Log, "warn">, monotonicMs: () => number) {
    this.#log = log;
    this.#monotonicMs = monotonicMs;
  }

  /** Each line that is written tells how many were held back before it. */
  warn(message: string): void {
    const nowMs = this.#monotonicMs();
    if (nowMs - this.#loggedAtMs < INTERVAL_MS) {
      this.#numHeldBack++;
      return;
    }
    const held = this.#numHeldBack === 0 ? "" : ` (${this.#numHeldBack} such lines were held back)`;
    this.#log.warn(`${message}${held}`);
    this.#loggedAtMs = nowMs;
    this.#numHeldBack = 0;
  }
}
