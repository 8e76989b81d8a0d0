import { FailureKind, StillhouseError } from "../../errors.js";

export interface StorageFaultDetails {
  readonly cause?: unknown;
  readonly retryable?: boolean;
  /** Whether waiting does not help, as with a damaged database. */
  readonly isLasting?: boolean;
}

/**
 * The home as a whole cannot be written. Only the store throws it, where that shows; every other
 * error belongs to what was being stored.
 */
export class StorageFault extends StillhouseError {
  readonly isLasting: boolean;

  /** @param kind EXHAUSTED where there is no room, else ENVIRONMENT */
  constructor(
    kind: FailureKind.EXHAUSTED | FailureKind.ENVIRONMENT,
    message: string,
    { cause, retryable = false, isLasting = false }: StorageFaultDetails = {},
  ) {
    super(kind, message, { retryable, cause });
    this.isLasting = isLasting;
  }

  /** Whether a person can make room while this process runs; a new one would find it as full. */
  get isFull(): boolean {
    return this.kind === FailureKind.EXHAUSTED;
  }
}

/** Whether something failed because the disk is full. */
export function isFull(thrown: unknown): boolean {
  return thrown instanceof StorageFault && thrown.isFull;
}

/**
 * One of several steps: what is wrong with it alone does not keep the others from being done.
 *
 * @param onDefect is given what it threw
 * @throws StorageFault: then the others could not be stored either
 */
export function alone(step: () => void, onDefect: (thrown: unknown) => void): void {
  try {
    step();
  } catch (thrown) {
    if (thrown instanceof StorageFault) throw thrown;
    onDefect(thrown);
  }
}
