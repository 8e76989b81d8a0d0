import { useEffect, useMemo, useState } from "preact/hooks";
import { formatCount, formatPercent, formatValue } from "../../../text/format.js";
import { linesOfCurve, tableOfLines } from "../../charts/curve-lines.js";
import { type Line, LineChart } from "../../charts/line-chart.js";
import {
  type Curve,
  type CurveGroup,
  curveGroups,
  curveLabel,
  isPercent,
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
  const view = feed.experiment.value;
  const [distilling, others] = useMemo(() => {
    const distills = distillations(view === undefined ? [] : [view]);
    const isDistilling = ({ taskId }: Curve) => distills.has(taskId);
    return [curves.filter(isDistilling), curves.filter((curve) => !isDistilling(curve))];
  }, [curves, view]);
  const groups = useMemo(() => curveGroups(distilling), [distilling]);
  const zoom = (next: readonly [number, number] | undefined) => feed.zoom(next);

  return (
    <section aria-labelledby="curves-title" class="section">
      <div class="section-head">
        <h2 id="curves-title">Curves</h2>
        <div class="section-tools">
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
        <OtherCharts curves={others} isSmooth={isSmooth} />
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

/** Curves of the other tasks, one chart per task and metric; Results shows the learners. */
function OtherCharts({ curves, isSmooth }: Pick<SpeedChartProps, "curves" | "isSmooth">) {
  return (
    <>
      {curves
        .filter(({ descriptor }) => descriptor !== undefined && descriptor.group?.id !== "learners")
        .map((curve) => {
          const inPercent = isPercent(curve);
          const format = inPercent ? (value: number) => formatPercent(value) : formatValue;
          const task = curve.taskId.split("-").at(-1) ?? "";
          const title = `${curveLabel(curve)} (${task})`;
          return (
            <Figure
              key={`${curve.taskId} ${curve.name}`}
              title={`${title[0]?.toUpperCase()}${title.slice(1)}${inPercent ? ", %" : ""}`}
              table={() => twinOf([curve], format)}
            >
              <NearViewport minHeight={CHART_HEIGHT}>
                {() => (
                  <LineChart
                    lines={linesOf([curve], isSmooth && !inPercent, inPercent)}
                    description={describe(title, [curve], format)}
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

function linesOf(curves: readonly Curve[], isSmooth: boolean, hasDots: boolean): Line[] {
  return labelled(curves).flatMap((curve, colour) =>
    linesOfCurve(curve, { isSmooth, hasDots, colour }),
  );
}

function labelled(curves: readonly Curve[]) {
  return curves.map((curve) => ({ ...curve, label: curveLabel(curve) }));
}

function describe(
  title: string,
  curves: readonly Curve[],
  format: (value: number) => string,
): string {
  const parts = curves.map((curve) => {
    const { steps, values, numPoints } = curve;
    const finite = values.filter((value) => value !== null);
    const last = finite.at(-1);
    if (last === undefined) return `${curveLabel(curve)}: no number`;
    const [least, most] = [finite.reduce(lesser), finite.reduce(greater)];
    return `${curveLabel(curve)}: ${formatCount(numPoints)} ${numPoints === 1 ? "point" : "points"} to step ${formatCount(steps.at(-1) ?? 0)}, last ${format(last)}, from ${format(least)} to ${format(most)}`;
  });
  return `${title}. ${parts.join("; ")}.`;
}

const lesser = (a: number, b: number) => Math.min(a, b);
const greater = (a: number, b: number) => Math.max(a, b);

function twinOf(curves: readonly Curve[], format: (value: number) => string): TableTwin {
  const longest = curves.reduce((a, b) => (b.steps.length > a.steps.length ? b : a));
  return tableOfLines(labelled(curves), longest.steps, MAX_TABLE_ROWS, format);
}
