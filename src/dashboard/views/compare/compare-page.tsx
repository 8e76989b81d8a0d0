import { useMemo } from "preact/hooks";
import { useLocation } from "preact-iso";
import { INTERVAL_RULE } from "../../../statistics.js";
import { formatGain, formatMeanStd, formatPercent } from "../../../text/format.js";
import { type Comparison, comparisonOf } from "../../model/comparison.js";
import { experimentView } from "../../model/experiment-view.js";
import { axesOf } from "../../model/sweep-matrix.js";
import { compareAddress } from "../../parts/addresses.js";
import { Empty, Problem } from "../../parts/notice.js";
import { useResource } from "../../parts/resource.js";
import { ScrollTable } from "../../parts/scroll.js";
import { usePageTitle } from "../../parts/title.js";
import { compareExperiments, getExperiment, getSettings } from "../../server/api.js";
import { Matrix } from "../sweeps/matrix.js";
import { AccuracyFigure } from "./accuracy-figure.js";
import { ComparedCurves } from "./compared-curves.js";
import { ExportMenu } from "./export-menu.js";

/** Fewer would leave most of a matrix empty. */
const MATRIX_FROM = 4;

/** Two to many experiments beside each other; the first is what the others are compared with. */
export function ComparePage() {
  usePageTitle("Compare");
  const { url } = useLocation();
  const ids = useMemo(() => new URL(url, location.origin).searchParams.getAll("id"), [url]);
  const { data, error } = useResource(`compare ${ids.join(" ")}`, async (signal) => {
    if (ids.length < 2) return undefined;
    const [answer, views] = await Promise.all([
      compareExperiments(ids, signal),
      Promise.all(ids.map((id) => getExperiment(id, signal).then(experimentView))),
    ]);
    const titles = new Map(views.map(({ id, title }) => [id, title]));
    return { comparison: comparisonOf(answer, titles), views };
  });
  const { data: settings } = useResource("settings", getSettings);
  const axes = useMemo(() => axesOf(data?.views ?? [], settings ?? []), [data, settings]);
  return (
    <div class="page">
      <div class="page-head">
        <h1>Compare</h1>
        {data === undefined ? null : <ExportMenu comparison={data.comparison} />}
      </div>
      <Problem error={error} />
      {ids.length < 2 ? (
        <Empty>
          Choose at least two <a href="/">experiments</a> in the table.
        </Empty>
      ) : data === undefined ? (
        <p class="muted">{error === undefined ? "Loading …" : ""}</p>
      ) : (
        <>
          <ComparisonTable comparison={data.comparison} ids={ids} />
          <div class="chart-grid section">
            <AccuracyFigure comparison={data.comparison} />
          </div>
          <ComparedCurves experiments={data.comparison.experiments} />
          {axes.length < 2 || ids.length < MATRIX_FROM ? null : (
            <section class="section" aria-labelledby="matrix-title">
              <h2 id="matrix-title">Accuracy over two settings</h2>
              <Matrix views={data.views} axes={axes} />
            </section>
          )}
        </>
      )}
    </div>
  );
}

interface ComparisonTableProps {
  readonly comparison: Comparison;
  readonly ids: readonly string[];
}

function ComparisonTable({ comparison, ids }: ComparisonTableProps) {
  const { differences, experiments } = comparison;
  return (
    <>
      <ScrollTable label="Comparison" class="table">
        <thead>
          <tr>
            <th scope="col">Experiment</th>
            {differences.map(({ field }) => (
              <th key={field} scope="col">
                {field}
              </th>
            ))}
            <th scope="col" class="end">
              Accuracy %
            </th>
            <th scope="col" class="end">
              95 % interval
            </th>
            <th scope="col" class="end">
              Gain over the first
            </th>
            <td />
          </tr>
        </thead>
        <tbody>
          {experiments.map((one, at) => (
            <tr key={one.id}>
              <th scope="row">
                <span class={`series-mark series-${(at % 7) + 1}`} aria-hidden="true" />
                <a class="row-title" href={`/experiments/${one.id}`}>
                  {one.label}
                </a>
                <span class="row-sub">{one.id}</span>
              </th>
              {differences.map(({ field, values }) => (
                <td key={field}>{values[at] || "–"}</td>
              ))}
              <td class="end numeric strong">
                {one.mean === undefined ? "–" : formatMeanStd(one.mean, one.std)}
              </td>
              <td class="end numeric">
                {one.interval === undefined
                  ? "–"
                  : `${formatPercent(one.interval[0])} – ${formatPercent(one.interval[1])}`}
              </td>
              <td class="end numeric">
                {one.gain === undefined ? (
                  at === 0 ? (
                    <span class="muted">reference</span>
                  ) : (
                    "–"
                  )
                ) : (
                  <>
                    {formatGain(one.gain)}
                    <span class="row-sub">
                      {one.gainInterval === undefined
                        ? ""
                        : `${formatGain(one.gainInterval[0])} to ${formatGain(one.gainInterval[1])}, `}
                      {one.sharedInits} shared inits
                    </span>
                  </>
                )}
              </td>
              <td class="end row-tools">
                {at === 0 ? null : (
                  <a href={compareAddress([one.id, ...ids.filter((id) => id !== one.id)])}>
                    Make it the first
                  </a>
                )}
                {ids.length > 2 ? (
                  <a href={compareAddress(ids.filter((id) => id !== one.id))}>Leave out</a>
                ) : null}
              </td>
            </tr>
          ))}
        </tbody>
      </ScrollTable>
      <p class="muted">95 % interval: {INTERVAL_RULE}.</p>
      {differences.length === 0 ? <p class="muted">Their settings are the same.</p> : null}
    </>
  );
}
