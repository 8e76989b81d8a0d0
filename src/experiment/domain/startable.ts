import { State, type Task } from "../../generated/stillhouse/v1/experiment.js";
import { poolTasksOf } from "./pool-plan.js";
import {
  type ExperimentRecord,
  foundLr,
  isDistill,
  isEvaluate,
  isPretrain,
  mustStop,
  takesLr,
} from "./record.js";
import { memoryTasksOf } from "./replay-plan.js";

/** Which tasks of an experiment could start; the parts that they share are evaluated only once. */
export function startable(record: ExperimentRecord): (task: Task) => boolean {
  if (mustStop(record)) return () => false;
  const isDistilled = record.tasks.every(
    ({ task }) => !isDistill(task) || task.state === State.SUCCEEDED,
  );
  const hasLr = foundLr(record) !== undefined;
  const trainings = record.tasks.filter(({ task }) => isPretrain(task));
  const hasPool = (task: Task) =>
    poolTasksOf(task, trainings).every((each) => each.task.state === State.SUCCEEDED);
  const distillations = record.tasks.filter(({ task }) => isDistill(task));
  const hasMemories = (task: Task) =>
    memoryTasksOf(task, distillations).every((each) => each.task.state === State.SUCCEEDED);
  return (task) =>
    task.state === State.QUEUED &&
    (isDistilled || !isEvaluate(task)) &&
    (hasLr || !takesLr(task)) &&
    hasPool(task) &&
    hasMemories(task);
}
