import { baselineOfKind } from "../../baselines.js";
import {
  type Progress,
  State,
  type Task,
  type Variation,
  type Work,
} from "../../generated/page/stillhouse/v1/experiment.js";
import type { Failure } from "../../generated/page/stillhouse/v1/failure.js";
import { numLearnersOf } from "../../results/num-learners.js";
import type { NamedSpec } from "../../results/spec-labels.js";
import { taskNames } from "../../results/task-names.js";
import type { RunTimes, TaskWork, WorkKind } from "../../results/work-progress.js";

export type StateName = "queued" | "running" | "succeeded" | "failed" | "cancelled";

export interface TaskView {
  readonly id: string;
  readonly name: string;
  readonly state: StateName;
  readonly attempt: number;
  readonly reused: boolean;
  readonly progress: Progress | undefined;
  readonly failure: Failure | undefined;
  readonly kind: WorkKind;
  readonly numLearners: number;
  readonly searchesLr: boolean;
  readonly takesLr: boolean;
  readonly times: RunTimes;
  readonly environment: Readonly<Record<string, string>>;
}

const STATE_NAMES: Readonly<Record<State, StateName>> = {
  [State.UNSPECIFIED]: "queued",
  [State.QUEUED]: "queued",
  [State.RUNNING]: "running",
  [State.SUCCEEDED]: "succeeded",
  [State.FAILED]: "failed",
  [State.CANCELLED]: "cancelled",
  [State.UNRECOGNIZED]: "queued",
};

export function stateName(state: State): StateName {
  return STATE_NAMES[state];
}

export function isLive({ state }: { readonly state: StateName }): boolean {
  return state === "queued" || state === "running";
}

/** The ids of the tasks that distil; all other tasks train or test learners. */
export function distillations(
  experiments: readonly { readonly tasks: readonly TaskView[] }[],
): ReadonlySet<string> {
  const tasks = experiments.flatMap((experiment) => experiment.tasks);
  return new Set(tasks.filter(({ kind }) => kind === "distill").map(({ id }) => id));
}

/** The tasks of one experiment; tasks of the same name are numbered. */
export function taskViews(tasks: readonly Task[], spec: NamedSpec | undefined): TaskView[] {
  const names = taskNames(tasks, spec);
  return tasks.map((task, at) => taskView(task, names[at] ?? task.id));
}

function taskView(task: Task, name: string): TaskView {
  const { id, attempt, reused, progress, failure, work, result } = task;
  return {
    id,
    name,
    state: stateName(task.state),
    attempt,
    reused,
    progress,
    failure,
    kind: kindOf(work),
    numLearners: numLearnersOf(work),
    searchesLr: variationOf(work)?.searchesLr ?? false,
    takesLr: work?.kind?.$case === "baseline" && work.kind.value.takesLr,
    times: {
      isReused: reused,
      wallTimeS: result?.wallTimeS,
      ranS: task.ranS,
      attemptStartMs: task.attemptStartTime?.getTime(),
      startMs: task.startTime?.getTime(),
      endMs: task.endTime?.getTime(),
    },
    environment: result?.environment ?? {},
  };
}

/** The baseline that a task computes, if it computes one. */
export function baselineOf(work: Work | undefined) {
  return work?.kind?.$case === "baseline" ? baselineOfKind(work.kind.value.kind) : undefined;
}

function kindOf(work: Work | undefined): WorkKind {
  const own = work?.kind?.$case;
  if (own === "distill" || own === "pretrain" || own === "replay") return own;
  return baselineOf(work)?.id ?? "evaluate";
}

function variationOf(work: Work | undefined): Variation | undefined {
  return work?.kind?.$case === "evaluate" ? work.kind.value.variation : undefined;
}

/** What the progress of the whole experiment is computed from. */
export function workOfTask(task: TaskView): TaskWork {
  const { kind, state, numLearners, searchesLr, takesLr, reused, times, progress } = task;
  const { stage = "", done = 0, total = 0, secondsLeft = 0 } = progress ?? {};
  const ranS = times.wallTimeS ?? times.ranS;
  return {
    kind,
    state,
    numLearners,
    searchesLr,
    takesLr,
    isReused: reused,
    ranS,
    stage,
    done,
    total,
    secondsLeft,
  };
}
