import type { ExperimentRecord } from "../domain/record.js";
import { isEnded } from "../domain/states.js";

interface LimitedSweep {
  /** 0 for none. */
  limit: number;
  /** In the order of arrival. */
  readonly unfinished: Map<string, ExperimentRecord>;
}

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

  /**
   * Call after every change of an experiment.
   *
   * @returns experiments that may run from now on
   */
  update(record: ExperimentRecord): ExperimentRecord[] {
    const { id, state, sweepId } = record.experiment;
    if (sweepId === "") return [];
    const sweep = this.#sweeps.get(sweepId) ?? {
      limit: this.#limitOf(sweepId),
      unfinished: new Map(),
    };
    this.#sweeps.set(sweepId, sweep);
    if (!isEnded(state)) {
      sweep.unfinished.set(id, record);
      return [];
    }
    const couldRun = this.mayRun(record);
    sweep.unfinished.delete(id);
    if (sweep.unfinished.size === 0) this.#sweeps.delete(sweepId);
    const next = [...firstOf(sweep)].at(-1);
    return couldRun && next !== undefined ? [next] : [];
  }

  /** The limit of a sweep has changed. @returns all its unfinished experiments */
  recordsAllowedBy(sweepId: string): ExperimentRecord[] {
    const sweep = this.#sweeps.get(sweepId);
    if (sweep === undefined) return [];
    sweep.limit = this.#limitOf(sweepId);
    return [...sweep.unfinished.values()];
  }

  mayRun({ experiment: { id, sweepId } }: ExperimentRecord): boolean {
    const sweep = this.#sweeps.get(sweepId);
    if (sweep === undefined || sweep.limit === 0) return true;
    for (const { experiment } of firstOf(sweep)) if (experiment.id === id) return true;
    return false;
  }
}

function* firstOf({ limit, unfinished }: LimitedSweep): Generator<ExperimentRecord> {
  let left = limit;
  for (const record of unfinished.values()) {
    if (left-- <= 0) return;
    yield record;
  }
}
