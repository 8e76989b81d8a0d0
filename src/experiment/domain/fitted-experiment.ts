import {
  Experiment,
  type Task,
  type TaskResult,
} from "../../generated/stillhouse/v1/experiment.js";
import { PAGE_BYTES } from "./page-token.js";

/** The bytes of an `Experiment`, or of its shortened form where it alone exceeds a page. */
export function fittedBytes(bytes: Uint8Array): Uint8Array {
  if (bytes.length <= PAGE_BYTES) return bytes;
  return Experiment.encode(fittedExperiment(Experiment.decode(bytes))).finish();
}

/**
 * What a list contains of an experiment: all of it, unless it is larger than a page. Then its tasks
 * lack what only the view of a single experiment needs and, if that is not enough, their results,
 * so that a list can show any experiment.
 */
export function fittedExperiment(experiment: Experiment): Experiment {
  if (!isTooLarge(experiment)) return experiment;
  const { result } = experiment;
  const rows = result?.rows.map((row) => ({ ...row, confusion: [] })) ?? [];
  const tasks = experiment.tasks.map(withoutDetails);
  const brief = { ...experiment, tasks, result: result && { ...result, rows } };
  if (!isTooLarge(brief)) return brief;
  return { ...brief, tasks: experiment.tasks.map(withoutResult) };
}

function isTooLarge(experiment: Experiment): boolean {
  return Experiment.encode(experiment).finish().length > PAGE_BYTES;
}

function withoutDetails(task: Task): Task {
  const failure = task.failure && { ...task.failure, traceback: "", cause: undefined };
  return { ...task, failure, result: task.result && briefResult(task.result) };
}

function briefResult(result: TaskResult): TaskResult {
  const brief = { ...result, environment: {} };
  if (result.kind?.$case !== "learners") return brief;
  const inits = result.kind.value.inits.map((init) => ({ ...init, confusion: [] }));
  return { ...brief, kind: { $case: "learners", value: { ...result.kind.value, inits } } };
}

function withoutResult(task: Task): Task {
  return { ...task, result: undefined, failure: undefined, progress: undefined };
}
