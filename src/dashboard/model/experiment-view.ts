import type { Experiment, InitResult, Task } from "../../generated/stillhouse/v1/experiment.js";
import type { Failure } from "../../generated/stillhouse/v1/failure.js";
import { type Summary, summarise } from "../../statistics.js";
import { millis, type Wire } from "../server/wire.js";
import { type Spec, shortLabel } from "./spec-fields.js";

export type StateName = "queued" | "running" | "succeeded" | "failed" | "cancelled";

type BaselineId = "full" | "random" | "herding" | "kcenter" | "untrained";

/** A variation is how the learners on the distilled data were trained otherwise. */
export type RowId = "distilled" | `variation ${string}` | BaselineId;

/** A learner that was trained and tested. */
export interface LearnerView {
  readonly initSeed: number;
  /** 0 to 1. */
  readonly accuracy: number;
  readonly loss: number;
  readonly macroF1: number;
  /** Test rows by true (row) and predicted class, row after row; empty where it was not counted. */
  readonly confusion: readonly number[];
}

/** What learners trained on one kind of data reach on the test split. */
export interface ResultView {
  readonly id: RowId;
  readonly label: string;
  readonly learners: readonly LearnerView[];
  readonly accuracy: Summary;
  readonly macroF1: number;
  readonly trainSamples: number;
  readonly gdSteps: number;
  /** Undefined where none was searched. */
  readonly chosenLr: number | undefined;
}

export interface ProgressView {
  readonly stage: string;
  readonly done: number;
  readonly total: number;
  readonly perSecond: number;
  readonly secondsLeft: number;
  readonly values: Readonly<Record<string, number>>;
}

export interface TaskView {
  readonly id: string;
  readonly name: string;
  readonly state: StateName;
  readonly attempt: number;
  readonly reused: boolean;
  readonly progress: ProgressView | undefined;
  readonly failure: FailureView | undefined;
  readonly startMs: number | undefined;
  readonly environment: Readonly<Record<string, string>>;
}

export interface FailureView {
  readonly message: string;
  readonly field: string;
  readonly retryable: boolean;
  readonly traceback: string;
}

export interface FileView {
  readonly name: string;
  readonly size: number;
  readonly sha256: string;
}

export interface ExperimentView {
  readonly id: string;
  /** What a person called it, else what is distilled or measured. */
  readonly title: string;
  readonly name: string;
  /** What is distilled, in short; of baselines alone, which. */
  readonly subject: string;
  readonly dataset: string;
  readonly model: string;
  readonly seed: number;
  readonly state: StateName;
  readonly owner: string;
  readonly priority: number;
  readonly sweepId: string;
  readonly createdMs: number | undefined;
  /** When its first task was begun. */
  readonly startedMs: number | undefined;
  readonly endedMs: number | undefined;
  readonly failure: FailureView | undefined;
  readonly spec: Spec;
  readonly specHash: string;
  readonly tasks: readonly TaskView[];
  readonly results: readonly ResultView[];
  /** Of the distilled data, over its test learners. */
  readonly accuracy: Summary | undefined;
  /** Mean accuracy of the distilled data over that of full data. */
  readonly ratioToFull: number | undefined;
  readonly distilled: DistilledView | undefined;
  /** 0 to 1: ended tasks, and the part of those that run. */
  readonly share: number;
  readonly running: TaskView | undefined;
}

export interface DistilledView {
  readonly artifactId: string;
  readonly files: readonly FileView[];
  readonly keptStep: number;
  readonly outerSteps: number;
  readonly validationAccuracy: number | undefined;
  readonly stepsPerSecond: number;
}

export function experimentView(experiment: Wire<Experiment>): ExperimentView {
  const spec = experiment.spec ?? {};
  const wireTasks = experiment.tasks ?? [];
  const tasks = taskViews(wireTasks);
  const results = resultsOf(wireTasks);
  const mean = (id: RowId) => results.find((result) => result.id === id)?.accuracy.mean;
  const [distilled, full] = [mean("distilled"), mean("full")];
  const name = spec.name ?? "";
  const subject = subjectOf(spec, wireTasks);
  return {
    id: experiment.id ?? "",
    title: name || subject,
    name,
    subject,
    dataset: spec.dataset?.name ?? "",
    model: modelTitle(spec.model?.name ?? ""),
    seed: spec.seed ?? 0,
    state: stateName(experiment.state),
    owner: experiment.owner ?? "",
    priority: experiment.priority ?? 0,
    sweepId: experiment.sweepId ?? "",
    createdMs: millis(experiment.createTime),
    startedMs: earliest(tasks.map(({ startMs }) => startMs)),
    endedMs: millis(experiment.endTime),
    failure: failureView(experiment.failure),
    spec,
    specHash: experiment.specHash ?? "",
    tasks,
    results,
    accuracy: results.find(({ id }) => id === "distilled")?.accuracy,
    ratioToFull: distilled !== undefined && full ? distilled / full : undefined,
    distilled: wireTasks.map(distilledView).find((view) => view !== undefined),
    share: shareDone(tasks),
    running: tasks.find(({ state }) => state === "running"),
  };
}

/** What is distilled, or the distilled data that is tried; of only baselines, which. */
function subjectOf(spec: Spec, tasks: readonly Wire<Task>[]): string {
  if (spec.robustness) return `robustness of ${spec.robustness.artifactId}`;
  if (tasks.length === 0 || tasks.some(({ work }) => !work?.baseline)) return shortLabel(spec);
  return `only ${tasks.map((task) => taskName(task).toLowerCase()).join(", ")}`;
}

function earliest(times: readonly (number | undefined)[]): number | undefined {
  const known = times.filter((time) => time !== undefined);
  return known.length === 0 ? undefined : Math.min(...known);
}

/** The name of a model; of a folder on a disk its last part. */
function modelTitle(name: string): string {
  return /^(\/|[a-z]:)/i.test(name) ? (name.split(/[\\/]/).findLast(Boolean) ?? name) : name;
}

export function stateName(state: string | undefined): StateName {
  return (state ?? "STATE_QUEUED").replace("STATE_", "").toLowerCase() as StateName;
}

export function isLive({ state }: { readonly state: StateName }): boolean {
  return state === "queued" || state === "running";
}

/** The tasks of one experiment; several of one name are numbered. */
export function taskViews(wireTasks: readonly Wire<Task>[]): TaskView[] {
  const tasks = wireTasks.map(taskView);
  return tasks.map((task) => {
    const same = tasks.filter(({ name }) => name === task.name);
    if (same.length === 1) return task;
    return { ...task, name: `${task.name}, ${same.indexOf(task) + 1} of ${same.length}` };
  });
}

function taskView(task: Wire<Task>): TaskView {
  const { result } = task;
  return {
    id: task.id ?? "",
    name: taskName(task),
    state: stateName(task.state),
    attempt: task.attempt ?? 0,
    reused: task.reused ?? false,
    progress: progressView(task.progress),
    failure: failureView(task.failure),
    startMs: millis(task.startTime),
    environment: (result?.environment ?? {}) as Readonly<Record<string, string>>,
  };
}

export function progressView(progress: Wire<Task>["progress"]): ProgressView | undefined {
  if (progress === undefined) return undefined;
  return {
    stage: progress.stage ?? "",
    done: Number(progress.done ?? 0),
    total: Number(progress.total ?? 0),
    perSecond: progress.perSecond ?? 0,
    secondsLeft: progress.secondsLeft ?? 0,
    values: (progress.values ?? {}) as Readonly<Record<string, number>>,
  };
}

export function failureView(failure: Wire<Failure> | undefined): FailureView | undefined {
  if (failure === undefined) return undefined;
  const { message = "", field = "", retryable = false, traceback = "" } = failure;
  return { message, field, retryable, traceback };
}

/** The experiment with how far one of its tasks is. */
export function withProgress(
  view: ExperimentView,
  taskId: string,
  progress: ProgressView,
): ExperimentView {
  const tasks = view.tasks.map((task) => (task.id === taskId ? { ...task, progress } : task));
  return { ...view, tasks, ...liveParts(tasks) };
}

function liveParts(tasks: readonly TaskView[]): Pick<ExperimentView, "share" | "running"> {
  return { share: shareDone(tasks), running: tasks.find(({ state }) => state === "running") };
}

function shareDone(tasks: readonly TaskView[]): number {
  if (tasks.length === 0) return 0;
  const shares = tasks.map(({ state, progress }) => {
    if (state === "succeeded") return 1;
    return state === "running" && progress?.total ? progress.done / progress.total : 0;
  });
  return shares.reduce((sum, share) => sum + share, 0) / tasks.length;
}

const BASELINES: Readonly<Record<string, { id: RowId; label: string }>> = {
  BASELINE_KIND_FULL: { id: "full", label: "Full data" },
  BASELINE_KIND_RANDOM: { id: "random", label: "Random real samples" },
  BASELINE_KIND_HERDING: { id: "herding", label: "Real samples by herding" },
  BASELINE_KIND_KCENTER: { id: "kcenter", label: "Real samples by k-centre" },
  BASELINE_KIND_UNTRAINED: { id: "untrained", label: "Untrained learner" },
};

const BASELINE_ORDER: readonly RowId[] = ["full", "random", "herding", "kcenter", "untrained"];

function taskName({ work, id = "" }: Wire<Task>): string {
  if (work?.distill) return "Distillation";
  if (work?.evaluate) return ["Evaluation", variationName(work)].filter(Boolean).join(", ");
  return BASELINES[work?.baseline?.kind ?? ""]?.label ?? id;
}

/** "one by one" of "one-by-one"; empty where learners were trained as the distilled data says. */
function variationName(work: Wire<Task>["work"]): string {
  return work?.evaluate?.variation?.name?.replaceAll("-", " ") ?? "";
}

function rowIdOf({ work }: Wire<Task>): RowId | undefined {
  const name = variationName(work);
  if (name !== "") return `variation ${name}`;
  if (work?.evaluate) return "distilled";
  return BASELINES[work?.baseline?.kind ?? ""]?.id;
}

/** Shards of an evaluation belong to one row. */
function resultsOf(tasks: readonly Wire<Task>[]): ResultView[] {
  const ids = new Set(tasks.map(rowIdOf).filter((id) => id !== undefined));
  const order = [...ids].filter((id) => !BASELINE_ORDER.includes(id)).concat(BASELINE_ORDER);
  return order.flatMap((id) => {
    const shards = tasks
      .filter((task) => rowIdOf(task) === id)
      .flatMap(({ result }) => (result?.learners ? [result.learners] : []));
    const [first] = shards;
    if (first === undefined) return [];
    const learners = shards.flatMap(({ inits }) => inits ?? []).map(learnerView);
    const label =
      Object.values(BASELINES).find((row) => row.id === id)?.label ?? distilledLabel(id);
    return [
      {
        id,
        label,
        learners,
        accuracy: summarise(learners.map(({ accuracy }) => accuracy)),
        macroF1: learners.reduce((sum, { macroF1 }) => sum + macroF1, 0) / learners.length,
        trainSamples: first.trainSamples ?? 0,
        gdSteps: first.gdSteps ?? 0,
        chosenLr: first.chosenLr || undefined,
      },
    ];
  });
}

function distilledLabel(id: RowId): string {
  return id.replace(/^(distilled|variation)/, "Distilled data").replace("data ", "data, ");
}

function learnerView(init: Wire<InitResult>): LearnerView {
  const { initSeed = 0, accuracy = 0, loss = 0, macroF1 = 0, confusion = [] } = init;
  return { initSeed, accuracy, loss, macroF1, confusion };
}

function distilledView({ result }: Wire<Task>): DistilledView | undefined {
  const distill = result?.distill;
  if (distill === undefined) return undefined;
  return {
    artifactId: distill.artifact?.id ?? "",
    files: (distill.artifact?.files ?? []).map(({ name = "", size = "0", sha256 = "" }) => ({
      name,
      size: Number(size),
      sha256,
    })),
    keptStep: distill.keptStep ?? 0,
    outerSteps: distill.outerSteps ?? 0,
    validationAccuracy: distill.validationAccuracy,
    stepsPerSecond: distill.stepsPerSecond ?? 0,
  };
}
