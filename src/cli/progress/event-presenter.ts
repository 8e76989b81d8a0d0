import type { Event, Task } from "../../generated/stillhouse/v1/experiment.js";
import type { ProgressDisplay } from "./progress-display.js";

/** Shows the events of an experiment. */
export class EventPresenter {
  readonly #display: ProgressDisplay;
  readonly #tasks = new Map<string, Task>();

  constructor(display: ProgressDisplay) {
    this.#display = display;
  }

  show({ taskId, kind }: Event): void {
    switch (kind?.$case) {
      case "experiment":
        for (const task of kind.value.tasks) this.#tasks.set(task.id, task);
        break;
      case "task":
        this.#tasks.set(kind.value.id, kind.value);
        this.#display.task(kind.value);
        break;
      case "progress": {
        const task = this.#tasks.get(taskId);
        if (task !== undefined) this.#display.progress(task, kind.value);
        break;
      }
      case "log":
        this.#display.log(kind.value);
        break;
      default: // metrics are for those who draw curves
    }
  }
}
