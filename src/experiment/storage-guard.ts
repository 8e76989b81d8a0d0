import { FailureKind, StillhouseError, toFailure } from "../errors.js";
import type { Clock, Log, StorageProbe } from "./ports.js";

export interface StorageGuardParts {
  readonly storage: StorageProbe;
  readonly clock: Clock;
  readonly log: Log;
  /** Nothing can be stored from now on. */
  readonly onFault: (error: StillhouseError) => void;
  /** It can again. */
  readonly onRecovery: () => void;
}

const FIRST_PAUSE_MS = 1_000;
const LONGEST_PAUSE_MS = 60_000;

/** What a full disk, a lock or a mount says of itself; a defect of ours does not pass by itself. */
const PASSING = [FailureKind.FAILURE_KIND_EXHAUSTED, FailureKind.FAILURE_KIND_ENVIRONMENT];

/**
 * Lets nothing be done that cannot be stored: after the first failure all waits until the storage
 * takes writes again.
 */
export class StorageGuard {
  readonly #parts: StorageGuardParts;
  #fault: StillhouseError | undefined;
  #missed: (() => void)[] = [];
  #pauseMs = FIRST_PAUSE_MS;
  #faultAtMs = Number.NEGATIVE_INFINITY;

  constructor(parts: StorageGuardParts) {
    this.#parts = parts;
  }

  /** The reason why nothing is done at present. */
  get fault(): StillhouseError | undefined {
    return this.#fault;
  }

  /** For what comes again by itself, and leaves all as it was when it cannot be stored. */
  run(action: () => void): void {
    if (this.#fault) return;
    try {
      action();
    } catch (thrown) {
      this.#fail(thrown);
    }
  }

  /** For what is told once: it is done later where it cannot be done now. */
  runOnce(action: () => void): void {
    if (!this.#fault) this.run(action);
    if (this.#fault) this.#missed.push(action);
  }

  /** Call now and then: goes on where the storage takes writes again. */
  tick(): void {
    const { storage, clock, log, onRecovery } = this.#parts;
    if (!this.#fault || !PASSING.includes(this.#fault.kind)) return;
    if (clock.monotonicMs() < this.#faultAtMs + this.#pauseMs) return;
    try {
      storage.assertWritable();
    } catch {
      this.#faultAtMs = clock.monotonicMs();
      return;
    }
    log.warn("the storage takes writes again; what waited goes on");
    this.#fault = undefined;
    onRecovery();
    for (const action of this.#missed.splice(0)) this.runOnce(action);
  }

  #fail(thrown: unknown): void {
    const { clock, log, onFault } = this.#parts;
    const failure = toFailure(thrown);
    const fault =
      thrown instanceof StillhouseError
        ? thrown
        : new StillhouseError(failure.kind, failure.message, { traceback: failure.traceback });
    const nowMs = clock.monotonicMs();
    const cameSoon = nowMs - this.#faultAtMs < 2 * LONGEST_PAUSE_MS;
    this.#pauseMs = cameSoon ? Math.min(2 * this.#pauseMs, LONGEST_PAUSE_MS) : FIRST_PAUSE_MS;
    this.#faultAtMs = nowMs;
    this.#fault = fault;
    const outlook = PASSING.includes(fault.kind) ? "until it is mended" : "any more";
    log.error(`nothing is dispatched ${outlook}: ${failure.message}\n${failure.traceback}`);
    onFault(fault);
  }
}
