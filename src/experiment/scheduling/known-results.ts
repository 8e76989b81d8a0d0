import {
  type Experiment,
  State,
  type Task,
  type TaskResult,
} from "../../generated/stillhouse/v1/experiment.js";
import { type ExperimentRecord, storedArtifact } from "../domain/record.js";
import type { ArtifactStore, ExperimentStore } from "../domain/storage-ports.js";

/** A stored result, with when its task ended. */
type Known = ReturnType<ExperimentStore["findResults"]>[number];

/** The stored results that queued tasks can take over, by their cache keys. */
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

  /** The known results for the queued tasks of an experiment, by the tasks' ids. */
  of({ experiment, tasks }: ExperimentRecord): Map<string, TaskResult> {
    const waiting = tasks.map(({ task }) => task).filter(isAwaitingResult);
    const keys = this.#store.keysWithResults(waiting.map(({ cacheKey }) => cacheKey));
    const results = new Map<string, TaskResult>();
    for (const { id, cacheKey } of waiting.filter(({ cacheKey }) => keys.has(cacheKey))) {
      const result = this.fitting(experiment, this.under(cacheKey));
      if (result !== undefined) results.set(id, result);
    }
    return results;
  }

  /** All under a cache key, newest first. */
  under(cacheKey: string): readonly Known[] {
    return this.#store.findResults(cacheKey);
  }

  /** The newest of these that an experiment takes. */
  fitting({ reuseAfter }: Experiment, known: readonly Known[]): TaskResult | undefined {
    const isNew = (endTime: Date | undefined) =>
      reuseAfter === undefined || (endTime !== undefined && endTime > reuseAfter);
    return known.find(({ result, endTime }) => isNew(endTime) && this.#isThere(result))?.result;
  }

  /** What has an artifact is of use only while that exists. */
  #isThere(result: TaskResult): boolean {
    const kind = result.kind?.$case;
    if (kind !== "distill" && kind !== "pretrain") return true;
    return this.#artifacts.exists(storedArtifact(result)?.id ?? "");
  }
}

export function isAwaitingResult({ state, cacheKey }: Task): boolean {
  return state === State.QUEUED && cacheKey !== "";
}
