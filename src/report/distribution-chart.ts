import { axisFy, dot, frame, gridX, ruleY, tickX } from "@observablehq/plot";
import { drawChart } from "./chart.js";

/** Accuracies of the learners of one row, as fractions. */
export interface Spread {
  readonly label: string;
  readonly learners: readonly number[];
  readonly mean: number;
  readonly interval95: readonly [low: number, high: number] | null;
  /** The published figure, in percent. */
  readonly study: { readonly mean: number; readonly std: number | null } | undefined;
}

const ROW_HEIGHT = 52;
const MARGINS = 80;
/** Beyond this many learners dots are smaller. */
const MANY = 40;
/** Heights within a row of height 1: dots spread over a band, and below it the published figure. */
const BAND = { from: 0.3, to: 0.95 };
const MIDDLE = 0.62;
const STUDY = 0.12;
/** The fractional parts of its multiples are spread evenly, with neighbours far apart. */
const GOLDEN_RATIO = (1 + Math.sqrt(5)) / 2;

/** One dot per learner, with mean and interval, and below them the published figure. */
export function distributionChart(spreads: readonly Spread[]): string {
  const learners = spreads.flatMap(({ label, learners }) =>
    learners.map((accuracy, at) => ({ label, accuracy: accuracy * 100, height: heightOf(at) })),
  );
  const intervals = spreads.flatMap(({ label, interval95 }) =>
    interval95 === null ? [] : [{ label, low: interval95[0] * 100, high: interval95[1] * 100 }],
  );
  const means = spreads.map(({ label, mean }) => ({ label, mean: mean * 100 }));
  const study = spreads.flatMap(({ label, study }) =>
    study === undefined ? [] : [{ label, ...study }],
  );
  const studySpread = study.flatMap(({ label, mean, std }) =>
    std === null ? [] : [{ label, low: mean - std, high: mean + std }],
  );
  const isCrowded = spreads.some(({ learners }) => learners.length > MANY);
  return drawChart({
    ariaLabel: "Accuracy of every test learner by row",
    height: spreads.length * ROW_HEIGHT + MARGINS,
    marginLeft: 220,
    marginBottom: 40,
    x: { label: "accuracy (%)", labelAnchor: "center", tickSize: 0, inset: 10 },
    y: { axis: null, domain: [0, 1] },
    fy: { label: null, domain: spreads.map(({ label }) => label), padding: 0.1 },
    marks: [
      axisFy({ anchor: "left", label: null }),
      frame({ stroke: "var(--line)" }),
      gridX({ stroke: "var(--line)", strokeOpacity: 1 }),
      dot(learners, {
        ...{ fy: "label", x: "accuracy", y: "height", r: isCrowded ? 2 : 3 },
        ...{ fill: "var(--series-1)", fillOpacity: 0.7 },
      }),
      ruleY(intervals, {
        ...{ fy: "label", x1: "low", x2: "high", y: MIDDLE },
        ...{ stroke: "var(--ink)", strokeWidth: 2 },
      }),
      tickX(means, {
        ...{ fy: "label", x: "mean", stroke: "var(--ink)", strokeWidth: 2 },
        ...{ insetTop: 4, insetBottom: 14 },
      }),
      ruleY(studySpread, {
        ...{ fy: "label", x1: "low", x2: "high", y: STUDY },
        ...{ stroke: "var(--series-2)", strokeWidth: 1.5 },
      }),
      dot(study, {
        ...{ fy: "label", x: "mean", y: STUDY, symbol: "diamond", r: 4 },
        ...{ stroke: "var(--series-2)", fill: "var(--paper)", strokeWidth: 1.5 },
      }),
    ],
  });
}

function heightOf(learner: number): number {
  return BAND.from + (BAND.to - BAND.from) * ((learner * GOLDEN_RATIO) % 1);
}
