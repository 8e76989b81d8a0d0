/**
 * A terminal sends Ctrl-C to every process of its group, and npm passes on its own signal too, so
 * one press arrives twice within milliseconds. A signal so soon after the first is the same press.
 */
const SAME_PRESS_MS = 500;

/** How a person ends a run: the first time in good order, the second time at once. */
export interface Interruption {
  /** Aborts at the first signal. */
  readonly stop: AbortSignal;
  /** Aborts at a second one. */
  readonly kill: AbortSignal;
}

export interface InterruptionSwitch extends Interruption {
  /** To be called at each signal. */
  press(): void;
}

/** @param nowMs a clock that never goes back. */
export function createInterruption(
  nowMs: () => number = () => performance.now(),
): InterruptionSwitch {
  const stop = new AbortController();
  const kill = new AbortController();
  let firstPressMs = 0;
  return {
    stop: stop.signal,
    kill: kill.signal,
    press() {
      if (!stop.signal.aborted) {
        firstPressMs = nowMs();
        stop.abort();
      } else if (nowMs() - firstPressMs > SAME_PRESS_MS) {
        kill.abort();
      }
    },
  };
}

/** Resolves when the signal aborts. */
export function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
