import { formatDecimals, formatInterval, formatMeanStd, formatPercent } from "../text/format.js";
import { type Curve, curveChart } from "./curve-chart.js";
import { DistilledData } from "./distilled-data.js";
import { distributionChart } from "./distribution-chart.js";
import { Figure } from "./figure.js";
import { type Numbers, NumberTable } from "./number-table.js";
import { renderPage } from "./page.js";
import type { ReportedTable, Reproduction, Rerun } from "./reproduction.js";
import { samplesChart } from "./samples-chart.js";

export function reproductionPage(reproduction: Reproduction): string {
  const { title, subject, settings, tables, legend, time, distilled, rerun } = reproduction;
  return renderPage({
    title,
    subject,
    children: (
      <>
        <p>{settings}</p>
        {tables.map((table) => (
          <TableSection key={table.title} table={table} />
        ))}
        <p>{legend}</p>
        <p>{time}</p>
        {distilled.length > 0 && <h2>Distilled data</h2>}
        {distilled.map(({ label, content }) => (
          <section key={label}>
            <h3>{label}</h3>
            {typeof content === "string" ? <p>{content}</p> : <DistilledData inspected={content} />}
          </section>
        ))}
        <RerunSection rerun={rerun} />
      </>
    ),
  });
}

function TableSection({ table }: { readonly table: ReportedTable }) {
  const { title, numbers, failures, published, differences, time, spreads } = table;
  return (
    <section>
      <h2>{title}</h2>
      <NumberTable {...numbers} />
      {[...failures, ...published].map((sentence) => (
        <p key={sentence}>{sentence}</p>
      ))}
      <p>{time}</p>
      {differences !== undefined && (
        <>
          <h3>Each row minus those above it</h3>
          <NumberTable {...differences} />
          <p>
            Mean difference in points over learners with the same seeds, with its 95 % interval and,
            of several distillations, the ± between them.
          </p>
        </>
      )}
      <Figure
        chart={distributionChart(spreads)}
        caption={
          "One dot per test learner, their mean as a line across with its 95 % interval; " +
          "below them the published mean ± std as a diamond."
        }
        numbers={spreadNumbers(spreads)}
      />
      {table.overSamples.length > 0 && <SamplesFigure points={table.overSamples} />}
      <CurveFigures table={table} />
    </section>
  );
}

function SamplesFigure({ points }: { readonly points: ReportedTable["overSamples"] }) {
  return (
    <Figure
      chart={samplesChart(points)}
      caption="Mean accuracy ± std of test learners over the number of distilled samples, and the published figures as diamonds."
      numbers={{
        head: ["distilled samples", "accuracy (%)", "published (%)"],
        rows: points.map(({ samples, mean, std, published }) => [
          `${samples}`,
          formatMeanStd(mean, std),
          published === undefined ? "" : formatDecimals(published, 1),
        ]),
      }}
    />
  );
}

function spreadNumbers(spreads: ReportedTable["spreads"]): Numbers {
  return {
    head: ["row", "mean (%)", "95 % interval", "learners"],
    rows: spreads.map(({ label, mean, interval95, learners }) => [
      label,
      formatPercent(mean, 2),
      interval95 === null ? "" : formatInterval(interval95, 2),
      learners.map((fraction) => formatPercent(fraction, 2)).join(" "),
    ]),
  };
}

function CurveFigures({
  table: { validationAccuracy, outerLoss },
}: {
  readonly table: ReportedTable;
}) {
  const accuracy = validationAccuracy.map(inPercent);
  return (
    <>
      {accuracy.length > 0 && (
        <Figure
          chart={curveChart({ axis: "validation accuracy (%)", curves: accuracy, hasDots: true })}
          caption="Accuracy on the held-out validation rows while distilling, by which the step is chosen."
          numbers={curveNumbers(accuracy, 2)}
        />
      )}
      {outerLoss.length > 0 && (
        <Figure
          chart={curveChart({ axis: "outer loss", curves: outerLoss, hasDots: false })}
          caption="Loss on a batch of real texts after the inner steps, at some of the outer steps."
          numbers={curveNumbers(outerLoss, 4)}
        />
      )}
    </>
  );
}

function RerunSection({ rerun }: { readonly rerun: Rerun }) {
  const { command, codeVersion, environments, experiments } = rerun;
  return (
    <section>
      <h2>To run it again</h2>
      <pre>{command}</pre>
      {codeVersion !== undefined && (
        <p>
          Code version (worker and packages): <code>{codeVersion}</code>
        </p>
      )}
      {environments.map((environment) => (
        <dl key={JSON.stringify(environment)}>
          {Object.entries(environment).map(([name, value]) => (
            <>
              <dt>{name}</dt>
              <dd>{value}</dd>
            </>
          ))}
        </dl>
      ))}
      <h3>What was computed</h3>
      {experiments.map(({ label, command: own, specHash, files, spec }) => (
        <details key={specHash}>
          <summary>{label}</summary>
          <pre>{own}</pre>
          <dl>
            <dt>resolved settings, SHA-256</dt>
            <dd>
              <code>{specHash}</code>
            </dd>
            {[...files].map(([name, sha256]) => (
              <>
                <dt>{name}, SHA-256</dt>
                <dd>
                  <code>{sha256}</code>
                </dd>
              </>
            ))}
          </dl>
          <pre>{JSON.stringify(spec, null, 2)}</pre>
        </details>
      ))}
    </section>
  );
}

/** One row per step, one column per curve. */
function curveNumbers(curves: readonly Curve[], digits: number): Numbers {
  const steps = [...new Set(curves.flatMap(({ points }) => points.map(({ step }) => step)))];
  const values = curves.map(({ points }) => new Map(points.map((p) => [p.step, p.value])));
  const cell = (value: number | undefined) =>
    value === undefined ? "" : formatDecimals(value, digits);
  return {
    head: ["outer step", ...curves.map(({ label, seed }) => `${label}, seed ${seed}`)],
    rows: steps
      .sort((a, b) => a - b)
      .map((step) => [`${step}`, ...values.map((of) => cell(of.get(step)))]),
  };
}

function inPercent(curve: Curve): Curve {
  return {
    ...curve,
    points: curve.points.map(({ step, value }) => ({ step, value: value * 100 })),
  };
}
