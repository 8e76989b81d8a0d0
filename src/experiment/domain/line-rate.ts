import type { Log } from "./ports.js";

/** Warnings of one kind that strangers can cause without limit. */
const WARNINGS = { max: 1, windowMs: 10_000 };

/**
 * Lets a number of lines pass within a period, and then only counts them, so that nobody who can
 * make a log grow fills it faster than that.
 */
export class LineRate {
  readonly #max: number;
  readonly #windowMs: number;
  readonly #onMore: (count: number, windowS: number) => void;
  #count = 0;
  #window: NodeJS.Timeout | undefined;

  /** @param onMore is called at the end of a window with the number of lines that did not pass */
  constructor(max: number, windowMs: number, onMore: (count: number, windowS: number) => void) {
    this.#max = max;
    this.#windowMs = windowMs;
    this.#onMore = onMore;
  }

  /** Counts a line. @returns whether it passes */
  passes(): boolean {
    this.#window ??= setTimeout(() => this.#end(), this.#windowMs).unref();
    this.#count++;
    return this.#count <= this.#max;
  }

  #end(): void {
    const more = this.#count - this.#max;
    this.#window = undefined;
    this.#count = 0;
    if (more > 0) this.#onMore(more, this.#windowMs / 1000);
  }
}

/** Limits the warnings in a log: one per window, and then the number of further ones. */
export function fewWarnings(log: Pick<Log, "warn">): Pick<Log, "warn"> {
  const rate = new LineRate(WARNINGS.max, WARNINGS.windowMs, (count, windowS) =>
    log.warn(`… and ${count} more such warnings in ${windowS} s`),
  );
  return { warn: (message) => rate.passes() && log.warn(message) };
}
