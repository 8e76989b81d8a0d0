import type { LogLine, Progress, Task } from "../../generated/stillhouse/v1/experiment.js";
import type { WorkProgress } from "../../results/work-progress.js";
import type { GroupOverview } from "./group-overview.js";

/** Shows what an experiment does while it runs. */
export interface ProgressDisplay {
  /** A task with this name has changed its state. */
  task(task: Task, name: string): void;
  /** How far a running task with this name is. */
  progress(task: Task, name: string, progress: Progress): void;
  /** What a worker says. */
  log(line: LogLine): void;
  /** Progress of the whole experiment; its time left is then shown instead of that of its tasks. */
  whole(progress: WorkProgress): void;
  /** How many experiments of a group are done, run and wait. */
  overview(overview: GroupOverview): void;
  /** How far work of the command itself is, from 0 to `total`, at which it is over. */
  work(name: string, done: number, total: number): void;
  /** A sentence of the command itself. */
  note(sentence: string): void;
  /** Leaves the terminal as it was. More may be shown afterwards. */
  close(): void;
}
