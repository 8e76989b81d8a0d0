import { VALIDATION_ACCURACY } from "../../../metric-names.js";
import {
  formatCount,
  formatDuration,
  formatGainRange,
  formatInterval,
  formatMeanStd,
  formatPercent,
  formatValue,
} from "../../../text/format.js";
import { type ExperimentView, ratioNote } from "../../model/experiment-view.js";
import { isLive } from "../../model/task-view.js";

/** The numbers that readers look for first. */
export function KeyFigures({ view }: { readonly view: ExperimentView }) {
  const figures = [
    accuracyFigure(view),
    ...(view.gapClosed === undefined ? [] : [gapFigure(view.gapClosed)]),
    ...(view.spec.replay ? replayFigures(view) : [ratioFigure(view), validationFigure(view)]),
    timeFigure(view),
  ];
  return (
    <dl class="key-figures">
      {figures.map(([name, value, note]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>
            <span class="key-value">{value}</span>
            <span class="muted key-note">{note}</span>
          </dd>
        </div>
      ))}
    </dl>
  );
}

type KeyFigure = readonly [name: string, value: string, note: string];

function accuracyFigure({ accuracy }: ExperimentView): KeyFigure {
  const name = "Test accuracy";
  if (accuracy === undefined) return [name, "–", "Of learners trained on the distilled data"];
  const { mean, std, n, interval95 } = accuracy;
  const learners = `${n} ${n === 1 ? "learner" : "learners"}`;
  const note = interval95
    ? `95 % interval ${formatInterval(interval95, 2)}, ${learners}`
    : `${learners}, too few for a 95 % interval`;
  return [name, `${formatMeanStd(mean, std)} %`, note];
}

/** Of the learners with distilled memories. */
function replayFigures({ replay }: ExperimentView): KeyFigure[] {
  const own = replay.find(({ id }) => id === "distilled");
  if (own === undefined) return [];
  const { forgetting, gain } = own;
  const forgotten = `${formatMeanStd(forgetting.mean, forgetting.std)} points`;
  return [
    ["Forgetting", forgotten, "From the highest accuracy on a task to the end"],
    ...(gain === null
      ? []
      : [["Gain", formatGainRange(gain), "Over as many random real samples"] as const]),
  ];
}

function ratioFigure(view: ExperimentView): KeyFigure {
  return ["Of full data", percentOrDash(view.ratioToFull), ratioNote(view)];
}

function gapFigure(share: number): KeyFigure {
  return ["Of the gap", percentOrDash(share), "Between pretrained learners and full data"];
}

function validationFigure({ distilled, running }: ExperimentView): KeyFigure {
  const latest = running?.progress?.values[VALIDATION_ACCURACY];
  const value = percentOrDash(distilled?.validationAccuracy ?? latest);
  if (distilled === undefined) return ["Validation", value, "latest"];
  const { keptStep, outerSteps } = distilled;
  const note = `Kept outer step ${formatCount(keptStep)} of ${formatCount(outerSteps)}`;
  return ["Validation", value, note];
}

function timeFigure(view: ExperimentView): KeyFigure {
  const { tookS, secondsLeft, running, share } = view;
  if (!isLive(view)) {
    return ["Took", tookS === undefined ? "–" : formatDuration(tookS), tookNote(view)];
  }
  const note = running ? `Of all tasks, ${formatPercent(share, 0)} % done` : "Waiting for a worker";
  return ["Time left", secondsLeft ? formatDuration(secondsLeft) : "–", note];
}

function percentOrDash(fraction: number | undefined): string {
  return fraction === undefined ? "–" : `${formatPercent(fraction)} %`;
}

function tookNote({ tasks, distilled }: ExperimentView): string {
  const numReused = tasks.filter(({ reused }) => reused).length;
  if (numReused > 0) return `${numReused} of ${tasks.length} tasks taken from earlier runs`;
  const rate = distilled?.stepsPerSecond;
  return rate ? `of computing, ${formatValue(rate)} outer steps per second` : "of computing";
}
