import { toFailure } from "../../errors.js";
import type { Clock, Log, StorageProbe } from "../domain/ports.js";
import { alone, type StorageFault } from "../domain/storage-fault.js";

export interface StorageGuardParts {
  readonly storage: StorageProbe;
  readonly clock: Clock;
  readonly log: Log;
  /** Nothing can be stored from now on. */
  readonly onFault: (fault: StorageFault) => void;
  /** It can again. */
  readonly onRecovery: () => void;
  /** It stays so: the process should end, so that a new one opens the home afresh. Told once. */
  readonly onBroken: (fault: StorageFault) => void;
}

const FIRST_PAUSE_MS = 1_000;
const LONGEST_PAUSE_MS = 15_000;
/** A fault that lasts this long does not pass, unless the disk is full. */
export const LONGEST_FAULT_MS = 600_000;

/**
 * Lets nothing be done that cannot be stored: after a fault of the storage all waits until it takes
 * writes again. Any other error is a defect of the one thing that was being done.
 */
export class StorageGuard {
  readonly #parts: StorageGuardParts;
  #fault: StorageFault | undefined;
  #missed: (() => void)[] = [];
  #pauseMs = FIRST_PAUSE_MS;
  #faultAtMs = Number.NEGATIVE_INFINITY;
  /** When the first of the faults came that followed soon after each other. */
  #sinceMs = Number.NEGATIVE_INFINITY;
  #isBroken = false;

  constructor(parts: StorageGuardParts) {
    this.#parts = parts;
  }

  /** The reason why nothing is done at present. */
  get fault(): StorageFault | undefined {
    return this.#fault;
  }

  /** Runs an action that is repeated anyway and that changes nothing when it cannot be stored. */
  run(action: () => void): void {
    if (this.#fault) return;
    try {
      alone(action, (thrown) => this.#tellOfDefect(thrown));
    } catch (fault) {
      this.#fail(fault as StorageFault);
    }
  }

  /** For what happens once: it is handled later where it cannot be handled now. */
  runOnce(action: () => void): void {
    if (!this.#fault) this.run(action);
    if (this.#fault) this.#missed.push(action);
  }

  /** Continues once the storage accepts writes again. Call it now and then. */
  tick(): void {
    const { storage, clock, log, onRecovery } = this.#parts;
    if (!this.#fault) return;
    this.#giveUpWhatLasts(this.#fault);
    if (clock.monotonicMs() < this.#faultAtMs + this.#pauseMs) return;
    try {
      storage.assertWritable();
    } catch {
      this.#faultAtMs = clock.monotonicMs();
      this.#wait();
      return;
    }
    log.warn("the storage takes writes again; what waited continues");
    this.#fault = undefined;
    onRecovery();
    for (const action of this.#missed.splice(0)) this.runOnce(action);
  }

  #giveUpWhatLasts(fault: StorageFault): void {
    if (this.#isBroken) return;
    const lastsMs = this.#parts.clock.monotonicMs() - this.#sinceMs;
    const isBroken = fault.isLasting || (!fault.isFull && lastsMs > LONGEST_FAULT_MS);
    if (!isBroken) return;
    this.#isBroken = true;
    this.#parts.onBroken(fault);
  }

  #fail(fault: StorageFault): void {
    const { clock, log, onFault } = this.#parts;
    const nowMs = clock.monotonicMs();
    const cameSoon = nowMs - this.#faultAtMs < 2 * LONGEST_PAUSE_MS;
    if (cameSoon) this.#wait();
    else {
      this.#pauseMs = FIRST_PAUSE_MS;
      this.#sinceMs = nowMs;
    }
    this.#faultAtMs = nowMs;
    this.#fault = fault;
    const outlook = fault.isLasting ? "any more" : "until it is repaired";
    log.error(`nothing is dispatched ${outlook}: ${fault.message}`);
    onFault(fault);
  }

  /** The next try waits longer than the one before. */
  #wait(): void {
    this.#pauseMs = Math.min(2 * this.#pauseMs, LONGEST_PAUSE_MS);
  }

  #tellOfDefect(thrown: unknown): void {
    const { message, traceback } = toFailure(thrown);
    this.#parts.log.error(`something could not be done, and is left: ${message}\n${traceback}`);
  }
}
