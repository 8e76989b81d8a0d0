import { State, type Task } from "../generated/stillhouse/v1/experiment.js";
import { type ExperimentRecord, isDistill, isEvaluate, mustStop } from "./record.js";

/**
 * The tasks that a worker could start now, in the order in which they should be.
 *
 * An evaluation waits for the distillation of its experiment. Of several tasks with the same cache
 * key one is ready and the others wait for its result.
 *
 * @param records unfinished experiments, oldest first
 */
export function readyTasks(records: Iterable<ExperimentRecord>): Task[] {
  const all = [...records];
  const taken = new Set(
    all.flatMap(({ tasks }) =>
      tasks.filter(({ task }) => task.state === State.STATE_RUNNING).map((e) => e.task.cacheKey),
    ),
  );
  const ready: Task[] = [];
  for (const record of all) {
    if (mustStop(record)) continue;
    for (const { task } of record.tasks) {
      if (task.state !== State.STATE_QUEUED || !dependenciesDone(record, task)) continue;
      if (task.cacheKey !== "" && taken.has(task.cacheKey)) continue;
      taken.add(task.cacheKey);
      ready.push(task);
    }
  }
  return ready;
}

function dependenciesDone(record: ExperimentRecord, task: Task): boolean {
  if (!isEvaluate(task)) return true;
  return record.tasks
    .filter((entry) => isDistill(entry.task))
    .every((entry) => entry.task.state === State.STATE_SUCCEEDED);
}
