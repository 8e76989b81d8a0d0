import {
  type Artifact,
  BaselineKind,
  type Experiment,
  State,
  type Task,
  type TaskResult,
} from "../../generated/stillhouse/v1/experiment.js";
import { ResultKind, type ResultRow } from "../../generated/stillhouse/v1/result.js";
import { poolTasksOf } from "./pool-plan.js";
import { memoryTasksOf } from "./replay-plan.js";

export interface TaskRecord {
  readonly task: Task;
  /** Lost attempts and retryable failures since a person last queued it. */
  readonly numLost: number;
}

/** An experiment as the control plane keeps it. Never edited in place. */
export interface ExperimentRecord {
  /** Without its tasks, which are in `tasks`. */
  readonly experiment: Experiment;
  /** In the order of dispatch. */
  readonly tasks: readonly TaskRecord[];
  /** A person wants it stopped; stays set until it is resumed. */
  readonly cancelRequested: boolean;
}

/** The experiment with its tasks, as clients see it. */
export function withTasks(record: ExperimentRecord): Experiment {
  return { ...record.experiment, tasks: record.tasks.map(({ task }) => task) };
}

export function findTask(record: ExperimentRecord, taskId: string): TaskRecord | undefined {
  return record.tasks.find(({ task }) => task.id === taskId);
}

export function isDistill(task: Task): boolean {
  return task.work?.kind?.$case === "distill";
}

export function isPretrain(task: Task): boolean {
  return task.work?.kind?.$case === "pretrain";
}

export function isEvaluate(task: Task): boolean {
  return task.work?.kind?.$case === "evaluate";
}

/** Whether a task evaluates learners trained as the distilled data says. */
export function isPlainEvaluation(task: Task): boolean {
  const kind = task.work?.kind;
  return kind?.$case === "evaluate" && kind.value.variation === undefined;
}

/** The rate that full data's first task has found; undefined before. */
export function foundLr({ tasks }: ExperimentRecord): number | undefined {
  const result = tasks.find(({ task }) => findsLr(task))?.task.result?.kind;
  return result?.$case === "learners" ? result.value.chosenLr : undefined;
}

/** Whether a task uses the rate that another task of its experiment has found for full data. */
export function takesLr(task: Task): boolean {
  const kind = task.work?.kind;
  return kind?.$case === "baseline" && kind.value.takesLr;
}

function findsLr(task: Task): boolean {
  const kind = task.work?.kind;
  return kind?.$case === "baseline" && kind.value.kind === BaselineKind.FULL && !kind.value.takesLr;
}

/** Whether a task waits in vain, since the task that finds its rate has failed. */
export function waitsInVain({ tasks }: ExperimentRecord): (task: Task) => boolean {
  const isLost = tasks.some(({ task }) => findsLr(task) && task.state === State.FAILED);
  return (task) => isLost && takesLr(task);
}

/** What a result has in the store: distilled data, or learners of a pool. */
export function storedArtifact(result: TaskResult | undefined): Artifact | undefined {
  const kind = result?.kind;
  return kind?.$case === "distill" || kind?.$case === "pretrain" ? kind.value.artifact : undefined;
}

/** The ids of the artifacts with the pretrained learners that a task starts from. */
export function poolOf({ tasks }: ExperimentRecord, task: Task): string[] {
  return poolTasksOf(task, tasks).flatMap((entry) => storedArtifact(entry.task.result)?.id ?? []);
}

/** The ids of the artifacts with the distilled memories of a task, in the order of its tasks. */
export function memoriesOf({ tasks }: ExperimentRecord, task: Task): string[] {
  return memoryTasksOf(task, tasks).flatMap((entry) => storedArtifact(entry.task.result)?.id ?? []);
}

/**
 * Id of the artifact that a task hands in: that of its experiment, which distils once; its own where
 * there are several, of a pool or of continual learning.
 */
export function artifactIdOf({ id, experimentId, work }: Task): string {
  const kind = work?.kind;
  const isOneOfSeveral =
    kind?.$case === "pretrain" || (kind?.$case === "distill" && kind.value.part !== undefined);
  return isOneOfSeveral ? id : experimentId;
}

/**
 * Id of the artifact distilled here, or in an earlier experiment whose result was reused; undefined
 * in continual learning, which has several.
 */
export function artifactOf({ tasks, experiment }: ExperimentRecord): string | undefined {
  if (experiment.spec?.replay) return undefined;
  for (const { task } of tasks) {
    const kind = task.result?.kind;
    if (kind?.$case === "distill") return kind.value.artifact?.id;
  }
  return undefined;
}

/**
 * The row of the stored result for learners trained as the distilled data says; undefined in an
 * experiment that trains none.
 */
export function distilledRow({ result }: Experiment): ResultRow | undefined {
  return result?.rows.find(({ kind }) => kind === ResultKind.DISTILLED);
}

/**
 * Whether no task of the experiment should run any more: a person cancelled it, or it cannot have
 * a result because its pool, its distillation or its evaluation failed. If a variation fails, the others are
 * still of use.
 */
export function mustStop(record: ExperimentRecord): boolean {
  return (
    record.cancelRequested ||
    record.tasks.some(({ task }) => task.state === State.FAILED && isNeeded(task))
  );
}

/** Whether an experiment has no result without a task. */
function isNeeded(task: Task): boolean {
  return isPretrain(task) || isDistill(task) || isPlainEvaluation(task);
}
