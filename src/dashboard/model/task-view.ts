import type { Task } from "../../generated/stillhouse/v1/experiment.js";
import type { Failure } from "../../generated/stillhouse/v1/failure.js";
import type { RunTimes, TaskWork, WorkKind } from "../../results/work-progress.js";
import { millis, type Wire } from "../server/wire.js";

export type StateName = "queued" | "running" | "succeeded" | "failed" | "cancelled";

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
  readonly kind: WorkKind;
  readonly numLearners: number;
  readonly searchesLr: boolean;
  readonly times: RunTimes;
  readonly environment: Readonly<Record<string, string>>;
}

export interface FailureView {
  readonly message: string;
  readonly field: string;
  readonly retryable: boolean;
  readonly traceback: string;
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
    kind: kindOf(task.work),
    numLearners: (task.work?.evaluate ?? task.work?.baseline)?.initSeeds?.length ?? 0,
    searchesLr: task.work?.evaluate?.variation?.searchesLr ?? false,
    times: {
      isReused: task.reused ?? false,
      wallTimeS: result?.wallTimeS ?? (result ? 0 : undefined),
      ranS: task.ranS ?? 0,
      attemptStartMs: millis(task.attemptStartTime),
      startMs: millis(task.startTime),
      endMs: millis(task.endTime),
    },
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

interface Baseline {
  readonly kind: WorkKind;
  readonly label: string;
}

export const BASELINES: Readonly<Record<string, Baseline>> = {
  BASELINE_KIND_FULL: { kind: "full", label: "Full data" },
  BASELINE_KIND_RANDOM: { kind: "random", label: "Random real samples" },
  BASELINE_KIND_HERDING: { kind: "herding", label: "Real samples by herding" },
  BASELINE_KIND_KCENTER: { kind: "kcenter", label: "Real samples by k-centre" },
  BASELINE_KIND_UNTRAINED: { kind: "untrained", label: "Untrained learner" },
};

function kindOf(work: Wire<Task>["work"]): WorkKind {
  if (work?.distill) return "distill";
  return BASELINES[work?.baseline?.kind ?? ""]?.kind ?? "evaluate";
}

/** What the progress of the whole is made of. */
export function workOfTask(task: TaskView): TaskWork {
  const { kind, state, numLearners, searchesLr, reused, times, progress } = task;
  const { stage = "", done = 0, total = 0, secondsLeft = 0 } = progress ?? {};
  const ranS = times.wallTimeS ?? times.ranS;
  return {
    kind,
    state,
    numLearners,
    searchesLr,
    isReused: reused,
    ranS,
    stage,
    done,
    total,
    secondsLeft,
  };
}

export function taskName({ work, id = "" }: Wire<Task>): string {
  if (work?.distill) return "Distillation";
  if (work?.evaluate) return ["Evaluation", variationName(work)].filter(Boolean).join(", ");
  return BASELINES[work?.baseline?.kind ?? ""]?.label ?? id;
}

/** "one by one" of "one-by-one"; empty where learners were trained as the distilled data says. */
export function variationName(work: Wire<Task>["work"]): string {
  return work?.evaluate?.variation?.name?.replaceAll("-", " ") ?? "";
}
