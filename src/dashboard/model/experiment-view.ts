import type {
  ArtifactFile,
  Experiment,
  Progress,
  Task,
} from "../../generated/page/stillhouse/v1/experiment.js";
import type { Failure } from "../../generated/page/stillhouse/v1/failure.js";
import { ExperimentSpec, Objective } from "../../generated/page/stillhouse/v1/spec.js";
import type { RelativeScores } from "../../results/relative-scores.js";
import { type ReplayView, replayViews } from "../../results/replay-view.js";
import { robustnessSubject } from "../../results/robustness-subject.js";
import { type Row, scoresOf, testedRows } from "../../results/rows.js";
import { objectiveText, shortLabel } from "../../results/spec-labels.js";
import { taskName } from "../../results/task-names.js";
import { ranSeconds, workProgress } from "../../results/work-progress.js";
import type { Summary } from "../../statistics.js";
import type { Spec } from "./spec-fields.js";
import {
  baselineOf,
  isLive,
  type StateName,
  stateName,
  type TaskView,
  taskViews,
  workOfTask,
} from "./task-view.js";

export interface ExperimentView {
  readonly id: string;
  /** The name that a person gave it, else what is distilled or measured. */
  readonly title: string;
  readonly name: string;
  /** What is distilled, in short; for an experiment of baselines only, which ones. */
  readonly subject: string;
  readonly dataset: string;
  readonly model: string;
  readonly seed: number;
  readonly state: StateName;
  readonly owner: string;
  readonly priority: number;
  readonly sweepId: string;
  readonly createdMs: number | undefined;
  /**
   * Seconds in which its tasks ran, without those in which they waited; undefined until its end.
   */
  readonly tookS: number | undefined;
  readonly failure: Failure | undefined;
  readonly spec: Spec;
  readonly specHash: string;
  readonly tasks: readonly TaskView[];
  /** The distilled data comes first. */
  readonly results: readonly Row[];
  readonly scores: RelativeScores;
  /** Accuracy of the distilled data, over its test learners. */
  readonly accuracy: Summary | undefined;
  /** Mean accuracy of the distilled data over that of full data. */
  readonly ratioToFull: number | undefined;
  /** How much of the gap to full data the distilled data closes for pretrained learners. */
  readonly gapClosed: number | undefined;
  /** What the objective is, in a few words; empty for the basic one. */
  readonly objective: string;
  readonly isAttack: boolean;
  readonly distilled: DistilledView | undefined;
  /** Of continual learning: the figures of its methods, and its distilled memories. */
  readonly replay: readonly ReplayView[];
  readonly memories: readonly MemoryView[];
  /** How much of its work is done, 0 to 1. */
  readonly share: number;
  /** For all remaining work; undefined where it cannot be estimated. */
  readonly secondsLeft: number | undefined;
  readonly running: TaskView | undefined;
  /** The artifact that is distilled or evaluated here; empty where there is none. */
  readonly artifactId: string;
}

export interface MemoryView {
  readonly artifactId: string;
  readonly title: string;
}

export interface DistilledView {
  readonly artifactId: string;
  readonly files: readonly ArtifactFile[];
  readonly keptStep: number;
  readonly outerSteps: number;
  readonly validationAccuracy: number | undefined;
  readonly stepsPerSecond: number;
}

export function experimentView(experiment: Experiment): ExperimentView {
  const { id, owner, priority, sweepId, failure, specHash } = experiment;
  const spec = experiment.spec ?? ExperimentSpec.fromJSON({});
  const tasks = taskViews(experiment.tasks, experiment.spec);
  const state = stateName(experiment.state);
  const results = distilledFirst(testedRows(experiment.result));
  const name = spec.name ?? "";
  const subject = subjectOf(spec, experiment.tasks);
  // Continual learning has many, none of which stands for the experiment.
  const data = spec.replay
    ? undefined
    : experiment.tasks.map(distilledView).find((view) => view !== undefined);
  return {
    id,
    title: name || subject,
    name,
    subject,
    dataset: spec.dataset?.name ?? "",
    model: [spec.model?.name, spec.model?.embeddings]
      .map((name) => modelTitle(name ?? ""))
      .filter((name) => name !== "")
      .join(" over "),
    seed: spec.seed ?? 0,
    state,
    owner,
    priority,
    sweepId,
    createdMs: experiment.createTime?.getTime(),
    tookS: isLive({ state }) ? undefined : tookS(tasks),
    failure,
    spec,
    specHash,
    tasks,
    results,
    scores: scoresOf(experiment.result?.relativeScores),
    accuracy: results.find(({ kind }) => kind === "distilled")?.accuracy,
    ratioToFull: experiment.result?.ratioToFull,
    gapClosed: experiment.result?.gapClosed,
    objective: objectiveText(spec, spec.dataset?.found?.classNames),
    isAttack: spec.objective?.kind === Objective.ATTACK,
    distilled: data,
    replay: replayViews(experiment.result),
    memories: memoriesOf(experiment),
    artifactId: data?.artifactId ?? spec.robustness?.artifactId ?? "",
    ...liveParts(spec, tasks),
  };
}

function distilledFirst(rows: readonly Row[]): Row[] {
  const isBaseline = ({ kind }: Row) => kind === "baseline";
  return [...rows.filter((row) => !isBaseline(row)), ...rows.filter(isBaseline)];
}

/** What is distilled, or which distilled data is evaluated, or else which baselines. */
function subjectOf(spec: Spec, tasks: readonly Task[]): string {
  if (spec.robustness) return robustnessSubject(shortLabel(spec), spec.robustness);
  if (tasks.length === 0 || tasks.some(({ work }) => !baselineOf(work))) return shortLabel(spec);
  return `only ${tasks.map((task) => taskName(task, spec).toLowerCase()).join(", ")}`;
}

function tookS(tasks: readonly TaskView[]): number {
  return tasks.reduce((sum, { times }) => sum + ranSeconds(times, times.endMs ?? 0), 0);
}

/** The name of a model; for a folder on disk the last part of its path. */
function modelTitle(name: string): string {
  return /^(\/|[a-z]:)/i.test(name) ? (name.split(/[\\/]/).findLast(Boolean) ?? name) : name;
}

/** The experiment with the latest progress of one of its tasks. */
export function withProgress(
  view: ExperimentView,
  taskId: string,
  progress: Progress,
): ExperimentView {
  const tasks = view.tasks.map((task) => (task.id === taskId ? { ...task, progress } : task));
  return { ...view, tasks, ...liveParts(view.spec, tasks) };
}

function liveParts(spec: Spec, tasks: readonly TaskView[]) {
  const { share, secondsLeft } = workProgress(spec, tasks.map(workOfTask));
  return { share, secondsLeft, running: tasks.find(({ state }) => state === "running") };
}

/** The note below the ratio to full data: how it is computed, or why there is none (yet). */
export function ratioNote({ ratioToFull, tasks }: Pick<ExperimentView, "ratioToFull" | "tasks">) {
  if (ratioToFull !== undefined) return "Ratio of mean accuracies";
  const state = tasks.find(({ kind }) => kind === "full")?.state;
  switch (state) {
    case undefined:
      return "No full-data baseline";
    case "running":
      return "The full-data baseline is running";
    case "queued":
      return "The full-data baseline is queued";
    case "succeeded":
      return "After the distilled data has been tested";
    default:
      return `The full-data baseline ${state === "failed" ? "has failed" : "was cancelled"}`;
  }
}

/** The distilled memories of continual learning, in the order of the plan. */
function memoriesOf({ spec, tasks }: Experiment): MemoryView[] {
  return tasks.flatMap((task) => {
    const work = task.work?.kind;
    const view = distilledView(task);
    if (work?.$case !== "distill" || !work.value.part || view === undefined) return [];
    return [{ artifactId: view.artifactId, title: taskName(task, spec) }];
  });
}

function distilledView({ result }: Task): DistilledView | undefined {
  if (result?.kind?.$case !== "distill") return undefined;
  const { artifact, ...measured } = result.kind.value;
  return {
    artifactId: artifact?.id ?? "",
    files: artifact?.files ?? [],
    keptStep: measured.keptStep,
    outerSteps: measured.outerSteps,
    validationAccuracy: measured.validationAccuracy,
    stepsPerSecond: measured.stepsPerSecond,
  };
}
