import { useMemo } from "preact/hooks";
import { useLocation } from "preact-iso";
import { comparisonOf } from "../../model/comparison.js";
import { experimentView } from "../../model/experiment-view.js";
import { axesOf } from "../../model/sweep-matrix.js";
import { Empty, Problem } from "../../parts/notice.js";
import { useResource } from "../../parts/resource.js";
import { usePageTitle } from "../../parts/title.js";
import { compareExperiments, getExperiment, getSettings } from "../../server/api.js";
import { Matrix } from "../sweeps/matrix.js";
import { AccuracyFigure } from "./accuracy-figure.js";
import { ComparedCurves } from "./compared-curves.js";
import { ComparisonTable } from "./comparison-table.js";
import { ExportMenu } from "./export-menu.js";
import { SettingsTable } from "./settings-table.js";

/** With fewer experiments most of a matrix would be empty. */
const MATRIX_FROM = 4;

/** Two or more experiments side by side; the others are compared with the first. */
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
    return { comparison: comparisonOf(answer, views), views };
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
          <SettingsTable comparison={data.comparison} />
          <div class="chart-grid section">
            <AccuracyFigure comparison={data.comparison} />
          </div>
          <ComparedCurves experiments={data.comparison.experiments} views={data.views} />
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
