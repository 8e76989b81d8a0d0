import { State } from "../../generated/stillhouse/v1/experiment.js";
import type { ExperimentRecord } from "../domain/record.js";

export interface Waiting {
  readonly taskId: string;
  readonly experimentId: string;
}

/** Queued tasks by the cache key under which another one may have their result. */
export class AwaitedResults {
  readonly #byKey = new Map<string, Map<string, Waiting>>();

  /** Call after every change of an experiment. */
  update({ tasks }: ExperimentRecord): void {
    for (const { task } of tasks) {
      const { id: taskId, experimentId, cacheKey, state } = task;
      if (cacheKey === "") continue;
      const waiting = this.#byKey.get(cacheKey) ?? new Map<string, Waiting>();
      if (state === State.QUEUED) waiting.set(taskId, { taskId, experimentId });
      else waiting.delete(taskId);
      if (waiting.size === 0) this.#byKey.delete(cacheKey);
      else this.#byKey.set(cacheKey, waiting);
    }
  }

  /** Those that wait for a result under this key, in the order in which they came. */
  of(cacheKey: string): Waiting[] {
    return [...(this.#byKey.get(cacheKey)?.values() ?? [])];
  }
}
