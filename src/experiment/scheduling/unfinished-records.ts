import { State } from "../../generated/stillhouse/v1/experiment.js";
import type { ExperimentRecord } from "../domain/record.js";
import { isEnded } from "../domain/states.js";

/** A task takes about 6 KB. */
const MOST_IDLE_TASKS = 10_000;

/**
 * The unfinished experiments that are in memory: those of which a task runs, and of the others the
 * ones that were used last. What is not here is in the store.
 */
export class UnfinishedRecords {
  readonly #mostIdleTasks: number;
  readonly #running = new Map<string, ExperimentRecord>();
  /** The one that was used last is last. */
  readonly #idle = new Map<string, ExperimentRecord>();
  #numIdleTasks = 0;

  /** @param mostIdleTasks in experiments of which nothing runs */
  constructor(mostIdleTasks = MOST_IDLE_TASKS) {
    this.#mostIdleTasks = mostIdleTasks;
  }

  get(experimentId: string): ExperimentRecord | undefined {
    const idle = this.#idle.get(experimentId);
    if (idle === undefined) return this.#running.get(experimentId);
    this.#idle.delete(experimentId);
    this.#idle.set(experimentId, idle);
    return idle;
  }

  /** The experiment where a task of it runs. */
  findRunning(experimentId: string): ExperimentRecord | undefined {
    return this.#running.get(experimentId);
  }

  /** The experiments of which a task runs, in no order. */
  running(): Iterable<ExperimentRecord> {
    return this.#running.values();
  }

  /** Call after every change of an experiment; forgets one that has ended. */
  set(record: ExperimentRecord): void {
    const { id, state } = record.experiment;
    this.#forget(id);
    if (isEnded(state)) return;
    if (record.tasks.some(({ task }) => task.state === State.RUNNING)) {
      this.#running.set(id, record);
      return;
    }
    this.#idle.set(id, record);
    this.#numIdleTasks += record.tasks.length;
    this.#dropOldest();
  }

  #forget(id: string): void {
    this.#running.delete(id);
    this.#numIdleTasks -= this.#idle.get(id)?.tasks.length ?? 0;
    this.#idle.delete(id);
  }

  #dropOldest(): void {
    for (const id of this.#idle.keys()) {
      if (this.#numIdleTasks <= this.#mostIdleTasks) return;
      this.#forget(id);
    }
  }
}
