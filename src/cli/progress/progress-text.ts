import { type Progress, State, type Task } from "../../generated/stillhouse/v1/experiment.js";
import { MetricUnit } from "../../generated/stillhouse/v1/service.js";
import { metricDescriptor } from "../../metric-descriptors.js";
import { VALIDATION_ACCURACY } from "../../metric-names.js";
import { averageAccuracy } from "../../results/replay-result.js";
import type { WorkProgress } from "../../results/work-progress.js";
import {
  formatCount,
  formatDuration,
  formatMeanStd,
  formatPercent,
  formatValue,
} from "../../text/format.js";

/** The unit that is counted in each stage; the counts of other stages are not shown. */
const UNITS: Readonly<Record<string, string>> = {
  distilling: "outer step",
  training: "step",
  pretraining: "step",
  replaying: "step",
  evaluating: "init",
  validating: "init",
  "choosing samples": "text",
  "choosing the learning rate": "learner",
};

/** Values that are shown first, in this order, with their names. */
const VALUE_NAMES: Readonly<Record<string, string>> = {
  loss: "loss",
  [VALIDATION_ACCURACY]: "validation",
};

/** One part of a progress line; where room is short, the least important parts are left out. */
export interface ProgressPart {
  readonly text: string;
  readonly importance: number;
}

/**
 * What there is to say about a task's progress, in the order in which it is shown.
 *
 * @param whole of its experiment, whose remaining time is shown instead of that of the task.
 */
export function progressParts(progress: Progress, whole?: WorkProgress): ProgressPart[] {
  const { perSecond } = progress;
  return [
    { text: countText(progress), importance: 5 },
    ...valueParts(progress.values),
    { text: perSecond > 0 ? `${formatValue(perSecond)}/s` : "", importance: 1 },
    { text: whole === undefined ? leftText(progress.secondsLeft) : "", importance: 4 },
  ].filter((part) => part.text !== "");
}

/** "5 min left", "" where that is not known or not worth saying. */
export function leftText(seconds: number | undefined): string {
  return seconds !== undefined && seconds >= 1 ? `${formatDuration(seconds)} left` : "";
}

/**
 * "outer step 510/1,500 · loss 0.412 · validation 91.2 % · 3.2/s · 5 min left".
 *
 * @param columns available; what does not fit is left out, the least important first.
 */
export function joinParts(
  parts: readonly ProgressPart[],
  columns: number = Number.POSITIVE_INFINITY,
): string {
  const text = parts.map((part) => part.text).join(" · ");
  if (text.length <= columns || parts.length < 2) return text;
  const least = parts.reduce((a, b) => (b.importance < a.importance ? b : a));
  return joinParts(
    parts.filter((part) => part !== least),
    columns,
  );
}

/** How much is done, 0 to 1; undefined in a stage that is not counted. */
export function progressFraction({ stage, done, total }: Progress): number | undefined {
  if (UNITS[stage] === undefined || total === 0n) return undefined;
  return Math.min(1, Number(done) / Number(total));
}

/** The sentence about a task with this name that has ended, or goes back to the queue; undefined for others. */
export function taskEndText(task: Task, name: string): string | undefined {
  switch (task.state) {
    case State.SUCCEEDED:
      return `${name}: ${[resultText(task), timeText(task)].filter(Boolean).join(", ")}`;
    case State.FAILED:
      return `${name}: failed`;
    case State.CANCELLED:
      return task.attempt > 0 ? `${name}: stopped` : undefined;
    case State.QUEUED:
      return task.failure && `${name}: ${task.failure.message}; it is tried again`;
    default:
      return undefined;
  }
}

function countText(progress: Progress): string {
  const { stage, done, total } = progress;
  if (progressFraction(progress) === undefined) return stage;
  return `${UNITS[stage]} ${formatCount(done)}/${formatCount(total)}`;
}

function valueParts(values: Readonly<Record<string, number>>): ProgressPart[] {
  const { accuracy_mean: mean, accuracy_std: std, ...others } = values;
  const names = new Set([...Object.keys(VALUE_NAMES), ...Object.keys(others).sort()]);
  const shown = [...names].flatMap((name) => {
    const value = others[name];
    const importance = isFraction(name) ? 3 : 2;
    return value === undefined ? [] : [{ text: valueText(name, value), importance }];
  });
  if (mean === undefined) return shown;
  return [...shown, { text: `accuracy ${formatMeanStd(mean, std)} %`, importance: 3 }];
}

function valueText(name: string, value: number): string {
  const shownName = VALUE_NAMES[name] ?? name.replaceAll("_", " ");
  return isFraction(name)
    ? `${shownName} ${formatPercent(value)} %`
    : `${shownName} ${formatValue(value)}`;
}

function isFraction(name: string): boolean {
  return metricDescriptor(name).unit === MetricUnit.FRACTION;
}

function resultText(task: Task): string {
  const kind = task.result?.kind;
  if (kind?.$case === "distill") {
    const { keptStep, validationAccuracy } = kind.value;
    const kept = `kept outer step ${formatCount(keptStep)}`;
    if (validationAccuracy === undefined) return kept;
    return `${kept}, validation ${formatPercent(validationAccuracy)} %`;
  }
  const accuracies = accuraciesOf(kind);
  if (accuracies.length === 0) return "";
  const mean = accuracies.reduce((sum, value) => sum + value, 0) / accuracies.length;
  const word = kind?.$case === "pretrain" ? "validation accuracy" : "accuracy";
  return `${word} ${formatPercent(mean)} %`;
}

/** Of the learners that a task has tested, or trained for a pool. */
function accuraciesOf(kind: NonNullable<Task["result"]>["kind"]): number[] {
  if (kind?.$case === "pretrain") return kind.value.accuracies;
  if (kind?.$case === "replay") return kind.value.runs.map(averageAccuracy);
  return kind?.$case === "learners" ? kind.value.inits.map((init) => init.accuracy) : [];
}

function timeText(task: Task): string {
  if (task.reused) return "reused from an earlier experiment";
  return task.result === undefined ? "" : formatDuration(task.result.wallTimeS);
}
