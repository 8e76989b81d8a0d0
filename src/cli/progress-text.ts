import { type Progress, State, type Task } from "../generated/stillhouse/v1/experiment.js";
import {
  formatCount,
  formatDuration,
  formatMeanStd,
  formatPercent,
  formatValue,
} from "./format.js";
import { taskName } from "./task-names.js";

/** What is counted in each stage; other stages count nothing that a person wants to see. */
const UNITS: Readonly<Record<string, string>> = {
  distilling: "outer step",
  training: "step",
  evaluating: "init",
  validating: "init",
};

/** Names of values as they are shown. */
const VALUE_NAMES: Readonly<Record<string, string>> = { validation_accuracy: "validation" };

/** "outer step 510/1,500 · loss 0.412 · validation 91.2 % · 3.2/s · 5 min left". */
export function progressText(progress: Progress): string {
  return [
    countText(progress),
    ...valueTexts(progress.values),
    progress.perSecond > 0 ? `${formatValue(progress.perSecond)}/s` : "",
    progress.secondsLeft > 0 ? `${formatDuration(progress.secondsLeft)} left` : "",
  ]
    .filter(Boolean)
    .join(" · ");
}

/** How much is done, 0 to 1; 0 where it is not known. */
export function progressFraction({ done, total }: Progress): number {
  return total > 0n ? Math.min(1, Number(done) / Number(total)) : 0;
}

/** The sentence about a task that has ended, or goes back to the queue; undefined for others. */
export function taskEndText(task: Task): string | undefined {
  const name = taskName(task);
  switch (task.state) {
    case State.STATE_SUCCEEDED:
      return `${name}: ${[resultText(task), timeText(task)].filter(Boolean).join(", ")}`;
    case State.STATE_FAILED:
      return `${name}: failed`;
    case State.STATE_CANCELLED:
      return `${name}: stopped`;
    case State.STATE_QUEUED:
      return task.failure && `${name}: ${task.failure.message}; it is tried again`;
    default:
      return undefined;
  }
}

function countText({ stage, done, total }: Progress): string {
  const unit = UNITS[stage];
  if (unit === undefined || total === 0n) return stage;
  return `${unit} ${formatCount(done)}/${formatCount(total)}`;
}

function valueTexts(values: Readonly<Record<string, number>>): string[] {
  const { accuracy_mean: mean, accuracy_std: std, ...others } = values;
  const shown = Object.entries(others).map(([name, value]) => valueText(name, value));
  if (mean === undefined) return shown;
  return [...shown, `accuracy ${formatMeanStd(mean, std ?? null)} %`];
}

function valueText(name: string, value: number): string {
  const shownName = VALUE_NAMES[name] ?? name.replaceAll("_", " ");
  return name.endsWith("accuracy")
    ? `${shownName} ${formatPercent(value)} %`
    : `${shownName} ${formatValue(value)}`;
}

function resultText(task: Task): string {
  const kind = task.result?.kind;
  if (kind?.$case === "distill") {
    const { keptStep, validationAccuracy } = kind.value;
    const kept = `kept outer step ${formatCount(keptStep)}`;
    if (validationAccuracy === undefined) return kept;
    return `${kept}, validation ${formatPercent(validationAccuracy)} %`;
  }
  if (kind?.$case !== "learners") return "";
  const accuracies = kind.value.inits.map((init) => init.accuracy);
  const mean = accuracies.reduce((sum, value) => sum + value, 0) / accuracies.length;
  return `accuracy ${formatPercent(mean)} %`;
}

function timeText(task: Task): string {
  if (task.reused) return "reused from an earlier experiment";
  return task.result === undefined ? "" : formatDuration(task.result.wallTimeS);
}
