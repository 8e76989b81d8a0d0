import type { Experiment } from "../../generated/stillhouse/v1/experiment.js";
import { isEnded } from "../domain/states.js";

interface LimitedSweep {
  /** 0 for none. */
  limit: number;
  /** Ids in the order of arrival. */
  readonly unfinished: Set<string>;
}

type OfSweep = Pick<Experiment, "id" | "sweepId">;

/**
 * Which unfinished experiments of each sweep may run: the first ones, as many as its limit allows.
 */
export class SweepLimits {
  readonly #limitOf: (sweepId: string) => number;
  readonly #sweeps = new Map<string, LimitedSweep>();

  /** @param limitOf the limit of a sweep that is stored; 0 for none */
  constructor(limitOf: (sweepId: string) => number) {
    this.#limitOf = limitOf;
  }

  /** Takes in an unfinished experiment; one that is known keeps its place. */
  add({ id, sweepId }: OfSweep): void {
    if (sweepId === "") return;
    const sweep = this.#sweeps.get(sweepId) ?? {
      limit: this.#limitOf(sweepId),
      unfinished: new Set(),
    };
    this.#sweeps.set(sweepId, sweep);
    sweep.unfinished.add(id);
  }

  /**
   * Call after every change of an experiment.
   *
   * @returns the id of another one that may run from now on
   */
  update(experiment: Pick<Experiment, "id" | "sweepId" | "state">): string | undefined {
    const { id, state, sweepId } = experiment;
    if (!isEnded(state)) {
      this.add(experiment);
      return undefined;
    }
    const sweep = this.#sweeps.get(sweepId);
    if (sweep === undefined) return undefined;
    const couldRun = this.mayRun(experiment);
    sweep.unfinished.delete(id);
    if (sweep.unfinished.size === 0) this.#sweeps.delete(sweepId);
    return couldRun ? [...firstOf(sweep)].at(-1) : undefined;
  }

  /** The limit of a sweep has changed. @returns its unfinished experiments, and whether each may run */
  changeLimit(sweepId: string): ReadonlyMap<string, boolean> {
    const sweep = this.#sweeps.get(sweepId);
    if (sweep === undefined) return new Map();
    sweep.limit = this.#limitOf(sweepId);
    const mayRun = new Set(sweep.limit === 0 ? sweep.unfinished : firstOf(sweep));
    return new Map([...sweep.unfinished].map((id) => [id, mayRun.has(id)]));
  }

  mayRun({ id, sweepId }: OfSweep): boolean {
    const sweep = this.#sweeps.get(sweepId);
    if (sweep === undefined || sweep.limit === 0) return true;
    for (const first of firstOf(sweep)) if (first === id) return true;
    return false;
  }
}

function* firstOf({ limit, unfinished }: LimitedSweep): Generator<string> {
  let left = limit;
  for (const id of unfinished) {
    if (left-- <= 0) return;
    yield id;
  }
}
