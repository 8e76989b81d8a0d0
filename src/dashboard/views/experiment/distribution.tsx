import type { Row } from "../../../results/rows.js";
import { INTERVAL_RULE } from "../../../statistics.js";
import { formatDecimals, formatMeanStd } from "../../../text/format.js";
import { lettersOf, screenStyle } from "../../charts/figure-style.js";
import { type Marks, PlotFigure } from "../../charts/plot-figure.js";
import { Figure } from "../../parts/figure.js";
import { NearViewport } from "../../parts/near-viewport.js";

const ROW_HEIGHT = 84;
/** Height of a dot with the gap to the next, in pixels. */
const DOT_HEIGHT = 8;
/** Accuracies that differ by less than this may have their dots stacked. */
const NEAR = 0.005;

/**
 * One dot per learner; below them the mean, one standard deviation and the interval of the mean.
 */
export function Distribution({ results }: { readonly results: readonly Row[] }) {
  const shown = results.filter(({ learners }) => learners.size > 1);
  if (shown.length === 0) return null;
  const points = shown.flatMap(({ label, learners }) =>
    [...learners].map(([initSeed, accuracy]) => ({ label, accuracy: accuracy * 100, initSeed })),
  );
  const description = shown
    .map(({ label, accuracy: { mean, std, n } }) => {
      return `${label}: mean ${formatMeanStd(mean, std)} % over ${n} learners`;
    })
    .join("; ");
  const draw = (marks: Marks, width: number) =>
    drawDistribution(marks, width, height, shown, points);
  const rowHeight = heightOfRow(shown);
  const height = rowHeight * shown.length + 50;
  return (
    <Figure
      class="wide"
      title="Accuracy of each learner, %"
      summary={`One dot per learner. The bar is the 95 % interval of the mean (${INTERVAL_RULE}), the line one standard deviation.`}
      table={() => ({
        head: ["init seed", "trained on", "accuracy %"],
        rows: points.map(({ initSeed, label, accuracy }) => [
          initSeed,
          label,
          formatDecimals(accuracy, 2),
        ]),
      })}
    >
      <NearViewport minHeight={height}>
        {() => (
          <PlotFigure
            description={description}
            drawKey={JSON.stringify(points)}
            draw={draw}
            minHeight={height}
          />
        )}
      </NearViewport>
    </Figure>
  );
}

/** Room for the label, the highest stack of dots and the mean below it, in pixels. */
function heightOfRow(results: readonly Row[]): number {
  const stacks = results.flatMap(({ learners }) => {
    const accuracies = [...learners.values()];
    return accuracies.map(
      (accuracy) => accuracies.filter((other) => Math.abs(other - accuracy) < NEAR).length,
    );
  });
  return Math.max(ROW_HEIGHT, 44 + DOT_HEIGHT * Math.max(...stacks));
}

interface Point {
  readonly label: string;
  readonly accuracy: number;
}

function drawDistribution(
  marks: Marks,
  width: number,
  height: number,
  results: readonly Row[],
  points: readonly Point[],
): Element {
  const style = screenStyle();
  return marks.plot({
    width,
    height,
    marginLeft: 12,
    marginRight: 12,
    marginBottom: 34,
    style: lettersOf(style),
    x: { label: null, grid: true, nice: true, insetLeft: 10, insetRight: 10 },
    fy: { axis: null, domain: results.map(({ label }) => label), padding: 0.1 },
    marks: [
      learnerMark(marks, points, style.series(0)),
      ...meanMarks(marks, results.map(spreadOf), style.ink),
    ],
    y: { axis: null, domain: [0, 1], insetBottom: 14 },
  });
}

/** A mean with one standard deviation (low, high) and its interval (from, to), in percent. */
function spreadOf({ label, accuracy: { mean, std, interval95 } }: Row) {
  const [from, to] = interval95 ?? [mean, mean];
  return {
    label,
    mean: mean * 100,
    low: (mean - (std ?? 0)) * 100,
    high: (mean + (std ?? 0)) * 100,
    from: from * 100,
    to: to * 100,
  };
}

function learnerMark({ dot, dodgeY }: Marks, points: readonly Point[], fill: string) {
  const place = { x: "accuracy", fy: "label", anchor: "bottom", dy: -16 };
  return dot(points, dodgeY({ ...place, r: 3.5, fill, fillOpacity: 0.75 } as never));
}

function meanMarks(
  { ruleX, link, text }: Marks,
  rows: readonly ReturnType<typeof spreadOf>[],
  ink: string,
) {
  const below = { fy: "label", y1: 0, y2: 0, stroke: ink, dy: 8 };
  return [
    text(rows, {
      fy: "label",
      text: "label",
      frameAnchor: "top-left",
      fill: ink,
      fontWeight: 500,
      dy: -2,
    }),
    link(rows, { ...below, x1: "low", x2: "high", strokeWidth: 1 } as never),
    link(rows, { ...below, x1: "from", x2: "to", strokeWidth: 5, strokeOpacity: 0.55 } as never),
    ruleX(rows, {
      fy: "label",
      x: "mean",
      stroke: ink,
      strokeDasharray: "2,3",
      strokeOpacity: 0.6,
    }),
  ];
}
