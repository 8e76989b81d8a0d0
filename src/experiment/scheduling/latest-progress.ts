import { type Progress, State, type Task } from "../../generated/stillhouse/v1/experiment.js";
import type { ExperimentRecord } from "../domain/record.js";

/** The latest progress of each running task, which is not stored. */
export class LatestProgress {
  readonly #byTask = new Map<string, Progress>();

  set({ id }: Task, progress: Progress): void {
    this.#byTask.set(id, progress);
  }

  /** Forgets the tasks of an experiment that no longer run. */
  forgetEnded({ tasks }: ExperimentRecord): void {
    for (const { task } of tasks) if (task.state !== State.RUNNING) this.#byTask.delete(task.id);
  }

  /** The task with its progress, where there is any. */
  addTo(task: Task): Task {
    const progress = this.#byTask.get(task.id);
    return progress === undefined ? task : { ...task, progress };
  }
}
