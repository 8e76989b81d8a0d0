import { overlapWarning } from "../../../results/overlap-warning.js";
import type { Row } from "../../../results/rows.js";
import { INTERVAL_RULE } from "../../../statistics.js";
import { formatCount, formatMeanStd, formatPercent, formatValue } from "../../../text/format.js";
import type { Marks } from "../../charts/plot-figure.js";
import { PlotFigure } from "../../charts/plot-figure.js";
import type { ExperimentView } from "../../model/experiment-view.js";
import { Figure } from "../../parts/figure.js";
import { NearViewport } from "../../parts/near-viewport.js";
import { Empty } from "../../parts/notice.js";
import { ScrollTable } from "../../parts/scroll.js";
import { themeColor } from "../../parts/theme.js";
import { ConfusionMatrix } from "./confusion-matrix.js";
import { RelativeScores } from "./relative-scores.js";

/** What the distilled data reaches, beside its baselines, learner by learner. */
export function ResultsSection({ view }: { readonly view: ExperimentView }) {
  const { results } = view;
  const found = view.spec.dataset?.found;
  const warning = overlapWarning(found?.testRowsInTrain);
  return (
    <section aria-labelledby="results-title" class="section">
      <h2 id="results-title">Results</h2>
      {results.length === 0 ? (
        <Empty>No learner has been tested yet.</Empty>
      ) : (
        <>
          {warning === undefined ? null : <p class="notice">{warning}</p>}
          <ResultTable results={results} />
          {view.spec.robustness ? <RelativeScores scores={view.scores} /> : null}
          <div class="chart-grid">
            <Distribution results={results} />
            {results
              .filter(({ confusion }) => confusion !== null)
              .filter(({ id }) => id === "distilled" || id === "full")
              .map((result) => (
                <ConfusionMatrix
                  key={result.id}
                  result={result}
                  classNames={found?.classNames}
                  artifactId={view.artifactId || undefined}
                />
              ))}
          </div>
        </>
      )}
    </section>
  );
}

function ResultTable({ results }: { readonly results: readonly Row[] }) {
  return (
    <ScrollTable label="Accuracy by training data" class="table">
      <thead>
        <tr>
          <th scope="col">Trained on</th>
          <th scope="col" class="end">
            Samples
          </th>
          <th scope="col" class="end">
            GD steps
          </th>
          <th scope="col" class="end">
            Accuracy %
          </th>
          <th scope="col" class="end">
            95 % interval
          </th>
          <th scope="col" class="end">
            Macro F1 %
          </th>
          <th scope="col" class="end">
            Learners
          </th>
        </tr>
      </thead>
      <tbody>
        {results.map(({ id, label, accuracy, macroF1, trainSamples, gdSteps, chosenLr }) => (
          <tr key={id} class={id === "distilled" ? "highlight" : ""}>
            <th scope="row">
              {label}
              {chosenLr === null ? null : (
                <span class="row-sub">
                  learning rate {formatValue(chosenLr)}, chosen on validation
                </span>
              )}
            </th>
            <td class="end numeric">{formatCount(trainSamples)}</td>
            <td class="end numeric">{formatCount(gdSteps)}</td>
            <td class="end numeric strong">
              {formatMeanStd(accuracy.mean, accuracy.std ?? undefined)}
            </td>
            <td class="end numeric">{intervalText(accuracy.interval95)}</td>
            <td class="end numeric">{formatPercent(macroF1)}</td>
            <td class="end numeric">{accuracy.n}</td>
          </tr>
        ))}
      </tbody>
    </ScrollTable>
  );
}

function intervalText(interval: readonly [number, number] | null): string {
  return interval === null ? "–" : `${formatPercent(interval[0])} – ${formatPercent(interval[1])}`;
}

const ROW_HEIGHT = 84;
/** Of a dot with the gap to the next. */
const DOT_HEIGHT = 8;
/** Of learners that may be so near to each other that their dots lie above one another. */
const NEAR = 0.005;

/** Each learner a dot; below it the mean, one standard deviation and the interval of the mean. */
function Distribution({ results }: { readonly results: readonly Row[] }) {
  const shown = results.filter(({ learners }) => learners.size > 1);
  if (shown.length === 0) return null;
  const points = shown.flatMap(({ label, learners }) =>
    [...learners].map(([initSeed, accuracy]) => ({ label, accuracy: accuracy * 100, initSeed })),
  );
  const description = shown
    .map(({ label, accuracy: { mean, std, n } }) => {
      return `${label}: mean ${formatMeanStd(mean, std ?? undefined)} % over ${n} learners`;
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
        rows: points.map(({ initSeed, label, accuracy }) => [initSeed, label, accuracy.toFixed(2)]),
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

/** Room for the highest stack of dots, below it the mean, above it the label. */
function heightOfRow(results: readonly Row[]): number {
  const stacks = results.flatMap(({ learners }) => {
    const accuracies = [...learners.values()];
    return accuracies.map(
      (accuracy) => accuracies.filter((other) => Math.abs(other - accuracy) < NEAR).length,
    );
  });
  return Math.max(ROW_HEIGHT, 44 + DOT_HEIGHT * Math.max(...stacks));
}

function drawDistribution(
  { plot, dot, dodgeY, ruleX, link, text }: Marks,
  width: number,
  height: number,
  results: readonly Row[],
  points: readonly { readonly label: string; readonly accuracy: number }[],
): Element {
  const accent = themeColor("--series-1");
  const ink = themeColor("--ink");
  const rows = results.map(({ label, accuracy: { mean, std, interval95 } }) => ({
    label,
    mean: mean * 100,
    low: (mean - (std ?? 0)) * 100,
    high: (mean + (std ?? 0)) * 100,
    from: (interval95?.[0] ?? mean) * 100,
    to: (interval95?.[1] ?? mean) * 100,
  }));
  const below = 8;
  return plot({
    width,
    height,
    marginLeft: 12,
    marginRight: 12,
    marginBottom: 34,
    style: {
      background: "none",
      color: themeColor("--muted"),
      fontFamily: "inherit",
      fontSize: "12px",
    },
    x: { label: null, grid: true, nice: true, insetLeft: 10, insetRight: 10 },
    fy: { axis: null, domain: results.map(({ label }) => label), padding: 0.1 },
    marks: [
      text(rows, {
        fy: "label",
        text: "label",
        frameAnchor: "top-left",
        fill: ink,
        fontWeight: 500,
        dy: -2,
      }),
      dot(
        points,
        dodgeY({
          x: "accuracy",
          fy: "label",
          r: 3.5,
          fill: accent,
          fillOpacity: 0.75,
          anchor: "bottom",
          dy: -16,
        } as never),
      ),
      link(rows, {
        fy: "label",
        x1: "low",
        x2: "high",
        y1: 0,
        y2: 0,
        stroke: ink,
        strokeWidth: 1,
        dy: below,
      } as never),
      link(rows, {
        fy: "label",
        x1: "from",
        x2: "to",
        y1: 0,
        y2: 0,
        stroke: ink,
        strokeWidth: 5,
        strokeOpacity: 0.55,
        dy: below,
      } as never),
      ruleX(rows, {
        fy: "label",
        x: "mean",
        stroke: ink,
        strokeDasharray: "2,3",
        strokeOpacity: 0.6,
      }),
    ],
    y: { axis: null, domain: [0, 1], insetBottom: 14 },
  });
}
