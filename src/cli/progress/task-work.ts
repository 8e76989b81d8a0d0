import { baselineOfKind } from "../../baselines.js";
import type { Experiment, Task } from "../../generated/stillhouse/v1/experiment.js";
import { numLearnersOf } from "../../results/num-learners.js";
import {
  type RunTimes,
  ranSeconds,
  type TaskWork,
  type WorkKind,
  type WorkProgress,
  workProgress,
} from "../../results/work-progress.js";

/** How far an experiment is as a whole. */
export function progressOf({ spec, tasks }: Experiment): WorkProgress {
  return workProgress(spec ?? {}, tasks.map(workOf));
}

/** Seconds in which a task ran, without those in which it waited. */
export function ranSecondsOf(task: Task, now: Date): number {
  return ranSeconds(timesOf(task), now.getTime());
}

function workOf(task: Task): TaskWork {
  const { work, state, reused, progress, result, ranS } = task;
  const kind = work?.kind;
  return {
    kind: kindOf(kind),
    state: state.replace("STATE_", "").toLowerCase() as TaskWork["state"],
    numLearners: numLearnersOf(work),
    takesLr: kind?.$case === "baseline" && kind.value.takesLr,
    searchesLr: kind?.$case === "evaluate" && kind.value.variation?.searchesLr === true,
    isReused: reused,
    ranS: result?.wallTimeS ?? ranS,
    stage: progress?.stage ?? "",
    done: Number(progress?.done ?? 0),
    total: Number(progress?.total ?? 0),
    secondsLeft: progress?.secondsLeft ?? 0,
  };
}

function kindOf(kind: NonNullable<Task["work"]>["kind"]): WorkKind {
  if (kind === undefined) return "evaluate";
  if (kind.$case !== "evaluate" && kind.$case !== "baseline") return kind.$case;
  if (kind.$case === "evaluate") return "evaluate";
  return baselineOfKind(kind.value.kind)?.id ?? "evaluate";
}

function timesOf({ reused, result, ranS, attemptStartTime, startTime, endTime }: Task): RunTimes {
  return {
    isReused: reused,
    wallTimeS: result?.wallTimeS,
    ranS,
    attemptStartMs: attemptStartTime?.getTime(),
    startMs: startTime?.getTime(),
    endMs: endTime?.getTime(),
  };
}
