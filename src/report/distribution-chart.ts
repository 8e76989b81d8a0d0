import { axisX, dodgeY, dot, frame, gridX, ruleY, tickX } from "@observablehq/plot";
import { drawChart } from "./chart.js";

/** Accuracies of the learners of one row, as fractions. */
export interface Spread {
  readonly label: string;
  readonly learners: readonly number[];
  readonly mean: number;
  readonly interval95: readonly [low: number, high: number] | null;
  /** What the study has, in percent. */
  readonly study: { readonly mean: number; readonly std: number | null };
}

const ROW_HEIGHT = 52;
const MARGINS = 70;
/** Beyond this many learners dots are smaller, so that they fit their row. */
const MANY = 40;
const STUDY_BELOW = 17;

/** Every learner as a dot, with mean and interval, and below them the figure of the study. */
export function distributionChart(spreads: readonly Spread[]): string {
  const learners = spreads.flatMap(({ label, learners }) =>
    learners.map((accuracy) => ({ label, accuracy: accuracy * 100 })),
  );
  const intervals = spreads.flatMap(({ label, interval95 }) =>
    interval95 === null ? [] : [{ label, low: interval95[0] * 100, high: interval95[1] * 100 }],
  );
  const means = spreads.map(({ label, mean }) => ({ label, mean: mean * 100 }));
  const study = spreads.map(({ label, study }) => ({ label, mean: study.mean }));
  const studySpread = spreads.flatMap(({ label, study: { mean, std } }) =>
    std === null ? [] : [{ label, low: mean - std, high: mean + std }],
  );
  const isCrowded = spreads.some(({ learners }) => learners.length > MANY);
  return drawChart({
    ariaLabel: "Accuracy of every test learner by row",
    height: spreads.length * ROW_HEIGHT + MARGINS,
    marginLeft: 210,
    x: { label: "accuracy (%)", nice: true },
    fy: { label: null, domain: spreads.map(({ label }) => label), padding: 0.1 },
    marks: [
      frame({ stroke: "var(--line)" }),
      gridX({ stroke: "var(--line)", strokeOpacity: 1 }),
      axisX({ tickSize: 0 }),
      ruleY(intervals, {
        fy: "label",
        x1: "low",
        x2: "high",
        stroke: "var(--ink)",
        strokeWidth: 2,
      }),
      dot(
        learners,
        dodgeY({
          anchor: "middle",
          fy: "label",
          x: "accuracy",
          r: isCrowded ? 2 : 3.5,
          fill: "var(--series-1)",
          fillOpacity: 0.75,
        }),
      ),
      tickX(means, { fy: "label", x: "mean", stroke: "var(--ink)", strokeWidth: 2, inset: 8 }),
      ruleY(studySpread, {
        ...{ fy: "label", x1: "low", x2: "high", dy: STUDY_BELOW },
        ...{ stroke: "var(--series-2)", strokeWidth: 1.5 },
      }),
      dot(study, {
        ...{ fy: "label", x: "mean", dy: STUDY_BELOW, symbol: "diamond", r: 4 },
        ...{ stroke: "var(--series-2)", fill: "var(--paper)", strokeWidth: 1.5 },
      }),
    ],
  });
}
