import {
  type Experiment,
  State,
  type Task,
  type TaskResult,
} from "../../generated/stillhouse/v1/experiment.js";
import type { ExperimentRecord } from "../domain/record.js";
import type { ArtifactStore, ExperimentStore } from "../domain/storage-ports.js";

/** The results that are there for tasks that are queued, by their cache keys. */
export class KnownResults {
  readonly #store: Pick<ExperimentStore, "findResults" | "keysWithResults">;
  readonly #artifacts: Pick<ArtifactStore, "exists">;

  constructor(
    store: Pick<ExperimentStore, "findResults" | "keysWithResults">,
    artifacts: Pick<ArtifactStore, "exists">,
  ) {
    this.#store = store;
    this.#artifacts = artifacts;
  }

  /** Of all queued tasks of an experiment, by the tasks' ids. */
  of({ experiment, tasks }: ExperimentRecord): Map<string, TaskResult> {
    const waiting = tasks.map(({ task }) => task).filter(isAwaitingResult);
    const known = this.#store.keysWithResults(waiting.map(({ cacheKey }) => cacheKey));
    return this.ofTasks(
      experiment,
      waiting.filter(({ cacheKey }) => known.has(cacheKey)),
    );
  }

  /** Of those of these tasks that are queued, by their ids. */
  ofTasks(experiment: Experiment, tasks: readonly Task[]): Map<string, TaskResult> {
    const results = new Map<string, TaskResult>();
    for (const task of tasks.filter(isAwaitingResult)) {
      const result = this.#find(experiment, task.cacheKey);
      if (result !== undefined) results.set(task.id, result);
    }
    return results;
  }

  #find({ reuseAfter }: Experiment, cacheKey: string): TaskResult | undefined {
    const isNew = (endTime: Date | undefined) =>
      reuseAfter === undefined || (endTime !== undefined && endTime > reuseAfter);
    return this.#store
      .findResults(cacheKey)
      .find(({ result, endTime }) => isNew(endTime) && this.#isThere(result))?.result;
  }

  /** What was distilled is of use as long as it is there. */
  #isThere({ kind }: TaskResult): boolean {
    if (kind?.$case !== "distill") return true;
    return this.#artifacts.exists(kind.value.artifact?.id ?? "");
  }
}

function isAwaitingResult({ state, cacheKey }: Task): boolean {
  return state === State.QUEUED && cacheKey !== "";
}
