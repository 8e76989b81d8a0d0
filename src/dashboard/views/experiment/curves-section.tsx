import { useEffect, useMemo, useState } from "preact/hooks";
import { formatCount, formatPercent, formatValue } from "../../../text/format.js";
import { linesOfCurve, tableOfLines } from "../../charts/curve-lines.js";
import { type Line, LineChart } from "../../charts/line-chart.js";
import {
  type Curve,
  type CurveGroup,
  chartsByMetric,
  curveGroups,
  curveLabel,
  isPercent,
  type SharedChart,
  stepsPerSecond,
} from "../../model/curves.js";
import { distillations } from "../../model/task-view.js";
import { CheckBox } from "../../parts/check-box.js";
import { Figure, type TableTwin } from "../../parts/figure.js";
import { NearViewport } from "../../parts/near-viewport.js";
import { Empty } from "../../parts/notice.js";
import type { ExperimentFeed } from "./feed.js";

const CHART_HEIGHT = 260;
/** More rows are not readable; the series endpoint has them all. */
const MAX_TABLE_ROWS = 200;

/** The progress of the distillation: live curves over the outer steps. */
export function CurvesSection({ feed }: { readonly feed: ExperimentFeed }) {
  const curves = feed.curves.value;
  const range = feed.range.value;
  const [isSmooth, setIsSmooth] = useState(true);
  const [isLog, setIsLog] = useState(false);
  const [chosen, choose] = useState<string>();
  const view = feed.experiment.value;
  const distills = useMemo(() => distillations(view === undefined ? [] : [view]), [view]);
  // One of several memories at a time: their curves have the same names.
  const memories = [...distills].filter((id) => curves.some(({ taskId }) => taskId === id));
  const memory = chosen ?? memories[0];
  const distilling = useMemo(
    () => curves.filter(({ taskId }) => taskId === memory),
    [curves, memory],
  );
  const groups = useMemo(() => curveGroups(distilling), [distilling]);
  const names = useMemo(
    () => new Map(view?.tasks.map(({ id, name }): [string, string] => [id, name])),
    [view],
  );
  const shared = useMemo(
    () =>
      chartsByMetric(
        curves.filter(({ taskId }) => !distills.has(taskId)),
        names,
      ),
    [curves, distills, names],
  );
  const zoom = (next: readonly [number, number] | undefined) => feed.zoom(next);

  return (
    <section aria-labelledby="curves-title" class="section">
      <div class="section-head">
        <h2 id="curves-title">Curves</h2>
        <div class="section-tools">
          {memories.length < 2 ? null : (
            <select
              aria-label="Memory whose distillation is shown"
              value={memory}
              onChange={({ currentTarget }) => choose(currentTarget.value)}
            >
              {memories.map((id) => (
                <option key={id} value={id}>
                  {names.get(id)}
                </option>
              ))}
            </select>
          )}
          <CheckBox label="Smooth" checked={isSmooth} onChange={setIsSmooth} />
          <CheckBox label="Logarithmic" checked={isLog} onChange={setIsLog} />
          <StepRange range={range} onChange={zoom} />
        </div>
      </div>
      {curves.length === 0 ? <Empty>No points yet.</Empty> : null}
      <div class="chart-grid">
        {groups.map((group) => (
          <GroupChart
            key={group.id}
            group={group}
            isSmooth={isSmooth}
            isLog={isLog}
            onZoom={zoom}
          />
        ))}
        <SpeedChart curves={distilling} isSmooth={isSmooth} onZoom={zoom} />
        <SharedCharts charts={shared} isSmooth={isSmooth} />
      </div>
    </section>
  );
}

interface StepRangeProps {
  readonly range: readonly [number, number] | undefined;
  readonly onChange: (range: readonly [number, number] | undefined) => void;
}

/** Chooses a range of steps by the keyboard, as dragging over a chart does by the mouse. */
function StepRange({ range, onChange }: StepRangeProps) {
  const [first, setFirst] = useState("");
  const [last, setLast] = useState("");
  useEffect(() => {
    setFirst(range ? String(range[0]) : "");
    setLast(range ? String(range[1]) : "");
  }, [range]);
  const submit = (event: SubmitEvent) => {
    event.preventDefault();
    if (first === "" && last === "") onChange(undefined);
    else onChange([Number(first), last === "" ? Number.MAX_SAFE_INTEGER : Number(last)]);
  };
  return (
    <form class="step-range" onSubmit={submit}>
      <label>
        Steps{" "}
        <input
          type="number"
          min="0"
          placeholder="first"
          aria-label="First step"
          value={first}
          onInput={({ currentTarget }) => setFirst(currentTarget.value)}
        />
      </label>
      <label>
        to{" "}
        <input
          type="number"
          min="0"
          placeholder="last"
          aria-label="Last step"
          value={last}
          onInput={({ currentTarget }) => setLast(currentTarget.value)}
        />
      </label>
      <button type="submit" class="button small">
        Show
      </button>
      {range === undefined ? null : (
        <button type="button" class="link-button" onClick={() => onChange(undefined)}>
          All steps
        </button>
      )}
    </form>
  );
}

interface GroupChartProps {
  readonly group: CurveGroup;
  readonly isSmooth: boolean;
  readonly isLog: boolean;
  readonly onZoom: (range: readonly [number, number] | undefined) => void;
}

function GroupChart({ group, isSmooth, isLog, onZoom }: GroupChartProps) {
  const { curves } = group;
  const format = group.isPercent ? (value: number) => formatPercent(value) : formatValue;
  const lines = useMemo(
    () => linesOf(curves, isSmooth && group.isNoisy, group.isPercent),
    [curves, isSmooth, group],
  );
  return (
    <Figure
      title={group.isPercent ? `${group.title}, %` : group.title}
      summary={group.summary}
      table={() => twinOf(curves, format)}
    >
      <NearViewport minHeight={CHART_HEIGHT}>
        {() => (
          <LineChart
            lines={lines}
            description={describe(group.title, curves, format)}
            format={format}
            syncKey="outer-step"
            isLog={isLog && group.mayBeLog}
            isPercent={group.isPercent}
            onZoom={onZoom}
          />
        )}
      </NearViewport>
    </Figure>
  );
}

interface SpeedChartProps extends Pick<GroupChartProps, "isSmooth" | "onZoom"> {
  readonly curves: readonly Curve[];
}

function SpeedChart({ curves, isSmooth, onZoom }: SpeedChartProps) {
  const speed = useMemo((): Curve[] => {
    const phases = curves.filter(({ descriptor }) => descriptor?.group?.id === "time");
    const { steps, values } = stepsPerSecond(phases);
    const numPoints = phases[0]?.numPoints ?? 0;
    return steps.length === 0
      ? []
      : [{ taskId: "", name: "steps per second", steps, values, numPoints, descriptor: undefined }];
  }, [curves]);
  const lines = useMemo(() => linesOf(speed, isSmooth, false), [speed, isSmooth]);
  if (speed.length === 0) return null;
  return (
    <Figure
      title="Outer steps per second"
      summary="The inverse of the time of all phases."
      table={() => twinOf(speed, formatValue)}
    >
      <NearViewport minHeight={CHART_HEIGHT}>
        {() => (
          <LineChart
            lines={lines}
            description={describe("Outer steps per second", speed, formatValue)}
            syncKey="outer-step"
            onZoom={onZoom}
          />
        )}
      </NearViewport>
    </Figure>
  );
}

interface SharedChartsProps extends Pick<SpeedChartProps, "isSmooth"> {
  readonly charts: readonly SharedChart[];
}

/** Curves of the other tasks, one chart per metric; Results shows the learners. */
function SharedCharts({ charts, isSmooth }: SharedChartsProps) {
  return (
    <>
      {charts.map(({ title, summary, curves, labels }) => {
        const inPercent = curves.every(isPercent);
        const format = inPercent ? (value: number) => formatPercent(value) : formatValue;
        const shown = inPercent ? `${title}, %` : title;
        return (
          <Figure
            key={title}
            title={shown}
            summary={summary}
            table={() => twinOf(curves, format, labels)}
          >
            <NearViewport minHeight={CHART_HEIGHT}>
              {() => (
                <LineChart
                  lines={linesOf(curves, isSmooth && !inPercent, inPercent, labels)}
                  description={describe(title, curves, format, labels)}
                  format={format}
                  isPercent={inPercent}
                  xLabel="step"
                />
              )}
            </NearViewport>
          </Figure>
        );
      })}
    </>
  );
}

/** @param labels of the curves; default: the titles of their metrics */
function linesOf(
  curves: readonly Curve[],
  isSmooth: boolean,
  hasDots: boolean,
  labels?: readonly string[],
): Line[] {
  return labelled(curves, labels).flatMap((curve, colour) =>
    linesOfCurve(curve, { isSmooth, hasDots, colour }),
  );
}

function labelled(curves: readonly Curve[], labels?: readonly string[]) {
  return curves.map((curve, at) => ({ ...curve, label: labels?.[at] ?? curveLabel(curve) }));
}

function describe(
  title: string,
  curves: readonly Curve[],
  format: (value: number) => string,
  labels?: readonly string[],
): string {
  const parts = labelled(curves, labels).map(({ label, steps, values, numPoints }) => {
    const finite = values.filter((value) => value !== null);
    const last = finite.at(-1);
    if (last === undefined) return `${label}: no number`;
    const [least, most] = [finite.reduce(lesser), finite.reduce(greater)];
    return `${label}: ${formatCount(numPoints)} ${numPoints === 1 ? "point" : "points"} to step ${formatCount(steps.at(-1) ?? 0)}, last ${format(last)}, from ${format(least)} to ${format(most)}`;
  });
  return `${title}. ${parts.join("; ")}.`;
}

const lesser = (a: number, b: number) => Math.min(a, b);
const greater = (a: number, b: number) => Math.max(a, b);

function twinOf(
  curves: readonly Curve[],
  format: (value: number) => string,
  labels?: readonly string[],
): TableTwin {
  const longest = curves.reduce((a, b) => (b.steps.length > a.steps.length ? b : a));
  return tableOfLines(labelled(curves, labels), longest.steps, MAX_TABLE_ROWS, format);
}
