import { rateLimited } from "../../errors.js";
import type { ExperimentRecord } from "../domain/record.js";
import { isEnded } from "../domain/states.js";

/** Unfinished experiments and tasks that an owner has, or may have. */
export interface Unfinished {
  readonly experiments: number;
  /** Of these experiments, done or not. */
  readonly tasks: number;
}

const NONE: Unfinished = { experiments: 0, tasks: 0 };
export const UNLIMITED: Unfinished = {
  experiments: Number.POSITIVE_INFINITY,
  tasks: Number.POSITIVE_INFINITY,
};

/** How many unfinished experiments and tasks each owner has, and may have. */
export class OwnerQuota {
  readonly #most: Unfinished;
  readonly #unfinished = new Map<string, Unfinished>();

  constructor(most: Unfinished) {
    this.#most = most;
  }

  /** The owners with unfinished experiments. */
  owners(): string[] {
    return [...this.#unfinished.keys()];
  }

  /** Call with what an earlier process left, or with less than nothing for what is removed. */
  add(owner: string, more: Unfinished): void {
    const { experiments, tasks } = this.#of(owner);
    const sum = { experiments: experiments + more.experiments, tasks: tasks + more.tasks };
    if (sum.experiments > 0) this.#unfinished.set(owner, sum);
    else this.#unfinished.delete(owner);
  }

  /** Call after every change of an experiment. @param before undefined for a new one */
  changed(before: ExperimentRecord | undefined, { experiment, tasks }: ExperimentRecord): void {
    const counted = before === undefined || isEnded(before.experiment.state) ? 0 : 1;
    const change = (isEnded(experiment.state) ? 0 : 1) - counted;
    if (change === 0) return;
    this.add(experiment.owner, { experiments: change, tasks: change * tasks.length });
  }

  /**
   * Reserves room for experiments that are about to be added.
   *
   * @returns a function that gives the room back; call it once the experiments themselves count
   * @throws RATE_LIMITED as `requireRoom`
   */
  reserve(owner: string, more: Unfinished): () => void {
    this.requireRoom(owner, more);
    this.add(owner, more);
    return () => this.add(owner, { experiments: -more.experiments, tasks: -more.tasks });
  }

  /** Throws RATE_LIMITED where that would exceed the quota of the owner. */
  requireRoom(owner: string, more: Unfinished): void {
    const has = this.#of(owner);
    const who = owner === "" ? "whoever names no owner" : JSON.stringify(owner);
    for (const [what, flag] of LIMITED) {
      if (has[what] + more[what] <= this.#most[what]) continue;
      throw rateLimited(
        `${who} has ${has[what]} unfinished ${what} and asks for ${more[what]} more; ` +
          `${this.#most[what]} is the limit (serve ${flag}): wait for some to end, or cancel them`,
      );
    }
  }

  #of(owner: string): Unfinished {
    return this.#unfinished.get(owner) ?? NONE;
  }
}

const LIMITED = [
  ["experiments", "--max-unfinished"],
  ["tasks", "--max-unfinished-tasks"],
] as const;
