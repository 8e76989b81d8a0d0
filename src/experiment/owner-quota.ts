import { FailureKind, StillhouseError } from "../errors.js";
import type { ExperimentRecord } from "./record.js";
import { isEnded } from "./states.js";

/** How many unfinished experiments each owner has, and may have. */
export class OwnerQuota {
  readonly #maxUnfinished: number;
  readonly #ownerOf = new Map<string, string>();
  readonly #numUnfinished = new Map<string, number>();

  constructor(maxUnfinished: number) {
    this.#maxUnfinished = maxUnfinished;
  }

  /** Call after every change of an experiment. */
  update({ experiment }: ExperimentRecord): void {
    const { id, owner, state } = experiment;
    if (isEnded(state) === !this.#ownerOf.has(id)) return;
    if (isEnded(state)) this.#ownerOf.delete(id);
    else this.#ownerOf.set(id, owner);
    const count = this.#countOf(owner) + (isEnded(state) ? -1 : 1);
    if (count > 0) this.#numUnfinished.set(owner, count);
    else this.#numUnfinished.delete(owner);
  }

  /** Throws RATE_LIMITED where an owner has no room for so many more. */
  requireRoom(owner: string, numMore: number): void {
    const count = this.#countOf(owner);
    if (count + numMore <= this.#maxUnfinished) return;
    const who = owner === "" ? "whoever names no owner" : JSON.stringify(owner);
    throw new StillhouseError(
      FailureKind.FAILURE_KIND_RATE_LIMITED,
      `${who} has ${count} unfinished experiments and asks for ${numMore} more; ` +
        `${this.#maxUnfinished} is the limit (serve --max-unfinished): wait for some to end, or cancel them`,
      { retryable: true },
    );
  }

  #countOf(owner: string): number {
    return this.#numUnfinished.get(owner) ?? 0;
  }
}
