import { RateLimiterMemory, RateLimiterRes } from "rate-limiter-flexible";
import { rateLimited } from "../errors.js";

export interface LimitValues {
  /** Calls per token within ten seconds. */
  readonly callsPer10s: number;
  /** Calls without a valid token per address within a minute. */
  readonly refusalsPerMinute: number;
  /** Open streams per token. */
  readonly streams: number;
}

/** Far more than people, notebooks and a polling page need; meant to stop a runaway script. */
export const DEFAULT_LIMITS: LimitValues = {
  callsPer10s: 2_000,
  refusalsPerMinute: 60,
  streams: 256,
};

/** Limits the calls of one caller, so that others get their turn. */
export class CallLimits {
  readonly #calls: RateLimiterMemory;
  readonly #refusals: RateLimiterMemory;
  readonly #maxStreams: number;
  readonly #streams = new Map<string, number>();

  constructor(values: LimitValues = DEFAULT_LIMITS) {
    this.#calls = new RateLimiterMemory({ points: values.callsPer10s, duration: 10 });
    this.#refusals = new RateLimiterMemory({ points: values.refusalsPerMinute, duration: 60 });
    this.#maxStreams = values.streams;
  }

  /** Counts a call of a token. @throws RATE_LIMITED */
  countCall(name: string): Promise<void> {
    return take(this.#calls, name, `${JSON.stringify(name)} calls too often`);
  }

  /** Counts a call without a valid token. @throws RATE_LIMITED */
  countRefusal(address: string): Promise<void> {
    return take(this.#refusals, address, `${address} calls too often without a valid token`);
  }

  /**
   * Counts a stream that begins.
   *
   * @returns a function to call when it has ended
   * @throws RATE_LIMITED
   */
  openStream(name: string): () => void {
    const open = this.#streams.get(name) ?? 0;
    if (open >= this.#maxStreams) {
      throw rateLimited(
        `${JSON.stringify(name)} has ${open} streams open, which is the limit; end some`,
      );
    }
    this.#streams.set(name, open + 1);
    let isOpen = true;
    return () => {
      if (!isOpen) return;
      isOpen = false;
      const left = (this.#streams.get(name) ?? 1) - 1;
      if (left > 0) this.#streams.set(name, left);
      else this.#streams.delete(name);
    };
  }
}

async function take(limiter: RateLimiterMemory, key: string, what: string): Promise<void> {
  try {
    await limiter.consume(key);
  } catch (thrown) {
    if (!(thrown instanceof RateLimiterRes)) throw thrown;
    throw rateLimited(`${what}; try again in ${Math.ceil(thrown.msBeforeNext / 1000)} s`);
  }
}
