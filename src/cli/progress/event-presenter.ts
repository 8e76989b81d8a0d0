import type { Event, Experiment, Task } from "../../generated/stillhouse/v1/experiment.js";
import { taskName } from "../../results/task-names.js";
import type { ProgressDisplay } from "./progress-display.js";
import { progressOf } from "./task-work.js";

/** Shows the events of an experiment. */
export class EventPresenter {
  readonly #display: ProgressDisplay;
  readonly #isMember: boolean;
  readonly #tasks = new Map<string, Task>();
  #experiment: Experiment | undefined;

  /** @param isMember whether a group's overview shows the progress of the whole instead. */
  constructor(display: ProgressDisplay, isMember = false) {
    this.#display = display;
    this.#isMember = isMember;
  }

  show({ taskId, kind }: Event): void {
    switch (kind?.$case) {
      case "experiment":
        this.#experiment = kind.value;
        for (const task of kind.value.tasks) this.#tasks.set(task.id, task);
        break;
      case "task":
        this.#tasks.set(kind.value.id, kind.value);
        this.#display.task(kind.value, this.#nameOf(kind.value));
        break;
      case "progress": {
        const task = this.#tasks.get(taskId);
        if (task === undefined) break;
        this.#tasks.set(taskId, { ...task, progress: kind.value });
        this.#showWhole();
        this.#display.progress(task, this.#nameOf(task), kind.value);
        break;
      }
      case "log":
        this.#display.log(kind.value);
        break;
      default: // metrics are for those who draw curves
    }
  }

  #nameOf(task: Task): string {
    return taskName(task, this.#experiment?.spec);
  }

  #showWhole(): void {
    if (this.#experiment === undefined || this.#isMember) return;
    this.#display.whole(progressOf({ ...this.#experiment, tasks: [...this.#tasks.values()] }));
  }
}
