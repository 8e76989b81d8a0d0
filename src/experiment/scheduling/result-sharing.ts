import { State, type Task, type TaskResult } from "../../generated/stillhouse/v1/experiment.js";
import { type ExperimentRecord, findTask } from "../domain/record.js";
import { alone } from "../domain/storage-fault.js";
import { reuseResults } from "../domain/transitions.js";
import { AwaitedResults } from "./awaited-results.js";
import type { KnownResults } from "./known-results.js";

/** The records of the ledger, as far as results are given to them. */
interface Records {
  find(experimentId: string): ExperimentRecord | undefined;
  update(
    experimentId: string,
    transition: (record: ExperimentRecord, now: Date) => ExperimentRecord,
  ): void;
}

/** Gives results to all tasks that would compute the same, which their cache keys tell. */
export class ResultSharing {
  readonly #known: KnownResults;
  readonly #records: Records;
  readonly #awaited = new AwaitedResults();

  constructor(known: KnownResults, records: Records) {
    this.#known = known;
    this.#records = records;
  }

  /** Call after every change of an experiment. */
  update(record: ExperimentRecord): void {
    this.#awaited.update(record);
  }

  /** Gives the queued tasks of an experiment what others have computed. */
  giveTo(record: ExperimentRecord): void {
    this.#give(record, this.#known.of(record));
  }

  /** Gives the result of a task to all that wait for it, where it computed one itself. */
  shareResultOf({ state, cacheKey, reused }: Task): void {
    if (state === State.SUCCEEDED && cacheKey !== "" && !reused) this.share(cacheKey);
  }

  /** Gives the result of a cache key to all that wait for it. */
  share(cacheKey: string): void {
    for (const { experimentId, taskId } of this.#awaited.of(cacheKey)) {
      const give = () => {
        const record = this.#records.find(experimentId);
        const task = record && findTask(record, taskId)?.task;
        if (task) this.#give(record, this.#known.ofTasks(record.experiment, [task]));
      };
      // One that it cannot be given to computes it by itself.
      alone(give, () => undefined);
    }
  }

  #give({ experiment }: ExperimentRecord, results: ReadonlyMap<string, TaskResult>): void {
    if (results.size === 0) return;
    this.#records.update(experiment.id, (record, now) => reuseResults(record, results, now));
  }
}
