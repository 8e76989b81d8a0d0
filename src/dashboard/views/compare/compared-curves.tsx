import { useMemo, useState } from "preact/hooks";
import type { MetricSeries } from "../../../generated/page/stillhouse/v1/service.js";
import { fullTitle, OUTER_LOSS } from "../../../metric-names.js";
import { formatPercent, formatValue } from "../../../text/format.js";
import { drawCurves } from "../../charts/comparison-figures.js";
import { linesOfCurve, tableOfLines } from "../../charts/curve-lines.js";
import { exportFigure } from "../../charts/export-figure.js";
import { PAPER_STYLE } from "../../charts/figure-style.js";
import { type Line, LineChart } from "../../charts/line-chart.js";
import type { ComparedView } from "../../model/comparison.js";
import { type Curve, curveGroups, curvesOf, isPercent } from "../../model/curves.js";
import type { ExperimentView } from "../../model/experiment-view.js";
import { distillations } from "../../model/task-view.js";
import { CheckBox } from "../../parts/check-box.js";
import { Figure } from "../../parts/figure.js";
import { Problem } from "../../parts/notice.js";
import { useResource } from "../../parts/resource.js";
import { getSeries } from "../../server/api.js";
import { FigureExports } from "./figure-exports.js";

const MAX_POINTS = 800;
const MAX_TABLE_ROWS = 100;
const CHART_HEIGHT = 340;
const POLL_MS = 5000;

export interface ComparedCurvesProps {
  readonly experiments: readonly ComparedView[];
  /** The same experiments, in the same order. */
  readonly views: readonly ExperimentView[];
}

/** One metric of each experiment's distillation, in one chart. */
export function ComparedCurves({ experiments, views }: ComparedCurvesProps) {
  const [metric, setMetric] = useState(OUTER_LOSS);
  const [isSmooth, setIsSmooth] = useState(true);
  const [range, setRange] = useState<StepRange>();
  const { data, error } = useCurves(views, metric, range);
  const choices = useMetrics(views);
  const chosen = choices.find(({ name }) => name === metric);
  const inPercent = chosen !== undefined && isPercent(chosen);
  const lines = useMemo(
    () => linesOf(data ?? [], experiments, isSmooth && !inPercent, inPercent),
    [data, experiments, isSmooth, inPercent],
  );
  const choose = (name: string) => {
    setMetric(name);
    setRange(undefined);
  };
  return (
    <section class="section" aria-labelledby="compared-curves">
      <div class="section-head">
        <h2 id="compared-curves">Curves</h2>
        <div class="section-tools">
          <CheckBox label="Smooth" checked={isSmooth} onChange={setIsSmooth} />
          <MetricChoice chosen={metric} choices={choices} onChoose={choose} />
          {range === undefined ? null : (
            <button type="button" class="link-button" onClick={() => setRange(undefined)}>
              All steps
            </button>
          )}
        </div>
      </div>
      <Problem error={error} />
      <CurvesFigure
        metric={metric}
        title={`${chosen ? titleOf(chosen) : metric}${inPercent ? ", %" : ""}`}
        inPercent={inPercent}
        lines={lines}
        numExperiments={experiments.length}
        onZoom={setRange}
      />
    </section>
  );
}

type StepRange = readonly [first: number, last: number];

interface MetricChoiceProps {
  readonly chosen: string;
  readonly choices: readonly Curve[];
  readonly onChoose: (name: string) => void;
}

function MetricChoice({ chosen, choices, onChoose }: MetricChoiceProps) {
  return (
    <label class="check">
      Metric
      <select value={chosen} onChange={({ currentTarget }) => onChoose(currentTarget.value)}>
        {choices.map((choice) => (
          <option key={choice.name} value={choice.name}>
            {titleOf(choice)}
          </option>
        ))}
      </select>
    </label>
  );
}

interface CurvesFigureProps {
  readonly metric: string;
  readonly title: string;
  readonly inPercent: boolean;
  readonly lines: readonly Line[];
  readonly numExperiments: number;
  readonly onZoom: (range: StepRange | undefined) => void;
}

function CurvesFigure({
  metric,
  title,
  inPercent,
  lines,
  numExperiments,
  onZoom,
}: CurvesFigureProps) {
  const format = inPercent ? (value: number) => formatPercent(value) : formatValue;
  return (
    <Figure
      title={title}
      controls={
        <FigureExports
          label={title}
          onExport={(type) =>
            exportFigure(metric, type, (marks, width) =>
              drawCurves(marks, width, scaled(lines, inPercent), title, PAPER_STYLE),
            )
          }
        />
      }
      table={() => twinOf(lines, format)}
    >
      <LineChart
        lines={lines}
        description={`${title} of ${numExperiments} experiments over the outer steps. The table has the numbers.`}
        format={format}
        height={CHART_HEIGHT}
        onZoom={onZoom}
      />
    </Figure>
  );
}

/** The curve of one metric per experiment; undefined where an experiment has none. */
function useCurves(views: readonly ExperimentView[], metric: string, range: StepRange | undefined) {
  const ids = views.map(({ id }) => id);
  const key = `curves ${metric} ${range?.join("-") ?? ""} ${ids.join(" ")}`;
  const [firstStep, lastStep] = range ?? [];
  const query = { names: [metric], maxPoints: MAX_POINTS, firstStep, lastStep };
  const ask = (signal: AbortSignal) =>
    Promise.all(
      ids.map(async (id) => {
        const { series } = await getSeries(id, query, signal);
        return distillationCurves(series, views)[0];
      }),
    );
  return useResource(key, ask, { pollMs: POLL_MS });
}

/** The metrics of the distillations. Two points of each are enough to get their descriptors. */
function useMetrics(views: readonly ExperimentView[]): readonly Curve[] {
  const ids = views.map(({ id }) => id);
  const { data = [] } = useResource(`metrics ${ids.join(" ")}`, (signal) =>
    Promise.all(ids.map((id) => getSeries(id, { maxPoints: 2 }, signal))),
  );
  const curves = data.flatMap(({ series }) => distillationCurves(series, views));
  const byName = new Map(curves.map((curve) => [curve.name, curve]));
  return curveGroups([...byName.values()]).flatMap((group) => group.curves);
}

function distillationCurves(
  series: readonly MetricSeries[],
  views: readonly ExperimentView[],
): Curve[] {
  const distills = distillations(views);
  return curvesOf(series).filter(({ taskId }) => distills.has(taskId));
}

function titleOf({ name, descriptor }: Curve): string {
  return descriptor === undefined ? name : fullTitle(descriptor);
}

function linesOf(
  curves: readonly (Curve | undefined)[],
  experiments: readonly ComparedView[],
  isSmooth: boolean,
  hasDots: boolean,
): Line[] {
  return curves.flatMap((curve, colour): Line[] => {
    if (curve === undefined) return [];
    const label = experiments[colour]?.label ?? "";
    return linesOfCurve({ ...curve, label }, { isSmooth, hasDots, colour });
  });
}

function scaled(lines: readonly Line[], inPercent: boolean): readonly Line[] {
  if (!inPercent) return lines;
  return lines.map((line) => ({
    ...line,
    values: line.values.map((value) => (value === null ? null : value * 100)),
  }));
}

function twinOf(lines: readonly Line[], format: (value: number) => string) {
  const bold = lines.filter(({ isFaint }) => !isFaint);
  const all = [...new Set(bold.flatMap(({ steps }) => steps))].sort((a, b) => a - b);
  return tableOfLines(bold, all, MAX_TABLE_ROWS, format);
}
