import { type Experiment, State, type Task } from "../../generated/stillhouse/v1/experiment.js";
import { formatDuration, formatMeanStd, formatPercent } from "../../text/format.js";
import { joinParts, progressFraction, progressParts } from "../progress/progress-text.js";
import { progressOf, ranSecondsOf } from "../progress/task-work.js";
import { resultOf } from "../results/result.js";

/** States by the words that people use for them. */
export const STATES = {
  queued: State.QUEUED,
  running: State.RUNNING,
  succeeded: State.SUCCEEDED,
  failed: State.FAILED,
  cancelled: State.CANCELLED,
} as const;

export function stateWord(state: State): string {
  return Object.entries(STATES).find(([, known]) => known === state)?.[0] ?? "";
}

/** Accuracy of the distilled data where there is one, else the progress. */
export function standingText(experiment: Experiment): string {
  const accuracy = resultOf(experiment).rows.find(({ id }) => id === "distilled")?.accuracy;
  if (accuracy !== undefined) return `${formatMeanStd(accuracy.mean, accuracy.std)} %`;
  const running = experiment.tasks.find(({ state }) => state === State.RUNNING);
  if (running === undefined) return "";
  const { share, secondsLeft } = progressOf(experiment);
  const left = secondsLeft === undefined ? "" : `, ${formatDuration(secondsLeft)} left`;
  return `${formatPercent(share)} % done${left}`;
}

/** The full text of a running task's progress. */
export function taskStanding(task: Task): string {
  if (task.state === State.RUNNING && task.progress) {
    return [percentText(task), joinParts(progressParts(task.progress))].filter(Boolean).join(" ");
  }
  if (task.failure !== undefined) return task.failure.message;
  return task.reused ? "reused from an earlier experiment" : "";
}

/** "5 min ago", counted from the clock of this machine. */
export function ageText(time: Date | undefined, now: Date): string {
  if (time === undefined) return "";
  const seconds = Math.max(0, (now.getTime() - time.getTime()) / 1_000);
  const days = Math.floor(seconds / 86_400);
  return days > 0 ? `${days} d ago` : `${formatDuration(seconds)} ago`;
}

/** How long the attempts of a task took together, without the time in which it waited. */
export function durationText(task: Task, now: Date): string {
  if (task.reused || task.startTime === undefined) return "";
  return formatDuration(ranSecondsOf(task, now));
}

/** The same for all tasks of an experiment together. */
export function tookText({ tasks }: Experiment, now: Date): string {
  if (tasks.every(({ reused, startTime }) => reused || startTime === undefined)) return "";
  return formatDuration(tasks.reduce((sum, task) => sum + ranSecondsOf(task, now), 0));
}

function percentText({ progress }: Task): string {
  const fraction = progress && progressFraction(progress);
  return fraction === undefined ? "" : `${formatPercent(fraction)} %`;
}
