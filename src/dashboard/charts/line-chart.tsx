import { useEffect, useRef } from "preact/hooks";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { formatValue } from "../../text/format.js";
import { needsDots, STEP_INCREMENTS, stepDomain, stepText } from "../../text/step-axis.js";
import { themeChanges, themeColor } from "../parts/theme.js";

export interface Line {
  readonly label: string;
  /** Ascending. */
  readonly steps: readonly number[];
  /** Null where there is no number. */
  readonly values: readonly (number | null)[];
  /** Thin and pale: the raw values behind a smoothed line. */
  readonly isFaint?: boolean;
  /** A dot at each point, for few points far apart. A line of one or two points always has dots. */
  readonly hasDots?: boolean;
  /** Its colour, by place in the palette; default: its place among the lines. */
  readonly colour?: number;
}

export interface LineChartProps {
  readonly lines: readonly Line[];
  /** What a screen reader reads instead of the picture. */
  readonly description: string;
  readonly xLabel?: string;
  readonly format?: (value: number) => string;
  /** Values are fractions from 0 to 1, and the axis stays within that. */
  readonly isPercent?: boolean;
  /** Charts with the same name show the same step under the pointer. */
  readonly syncKey?: string;
  readonly isLog?: boolean;
  readonly height?: number;
  /** The steps that were chosen by dragging; undefined for all, by a double click. */
  readonly onZoom?: (range: readonly [first: number, last: number] | undefined) => void;
}

export const PALETTE_SIZE = 7;
const HEIGHT = 220;
const FONT = '12px "Inter Variable", system-ui, sans-serif';

/** Lines over steps, drawn on a canvas: smooth with as many points as the server sends. */
export function LineChart(props: LineChartProps) {
  const place = useRef<HTMLDivElement>(null);
  const chart = useRef<uPlot | null>(null);
  const latest = useRef(props);
  latest.current = props;
  const theme = themeChanges.value;
  const { lines, isLog = false, height = HEIGHT } = props;
  const shape = lines
    .map(({ label, isFaint, hasDots }) => [label, isFaint, hasDots].join())
    .join("|");

  // Dependencies: new points alone do not need a new chart
  useEffect(() => {
    const element = place.current;
    if (element === null) return;
    const plot = new uPlot(
      optionsOf(latest, element, height),
      dataOf(latest.current.lines),
      element,
    );
    hideFaint(plot, latest.current.lines);
    chart.current = plot;
    const observer = new ResizeObserver(() => {
      plot.setSize({ width: element.clientWidth, height });
    });
    observer.observe(element);
    return () => {
      observer.disconnect();
      plot.destroy();
      chart.current = null;
    };
  }, [shape, isLog, height, theme]);

  useEffect(() => {
    const frame = requestAnimationFrame(() => chart.current?.setData(dataOf(lines)));
    return () => cancelAnimationFrame(frame);
  }, [lines]);

  return <div ref={place} class="line-chart" role="img" aria-label={props.description} />;
}

export function paletteColor(place: number): string {
  return themeColor(`--series-${(place % PALETTE_SIZE) + 1}`);
}

type Latest = { readonly current: LineChartProps };

function optionsOf(latest: Latest, element: HTMLElement, height: number): uPlot.Options {
  const { syncKey, isLog = false, isPercent = false } = latest.current;
  return {
    width: element.clientWidth || 400,
    height,
    // Room for the last number of the axis, which extends beyond it.
    padding: [8, 18, 0, 0],
    scales: {
      x: { time: false, range: (_, first, last) => stepDomain([first, last]) },
      y: { distr: isLog ? 3 : 1, ...(isPercent ? { range: shareRange } : {}) },
    },
    axes: axesOf(latest.current),
    cursor: {
      drag: { x: true, y: false, setScale: false },
      points: { size: 7 },
      ...(syncKey === undefined ? {} : { sync: { key: syncKey } }),
    },
    legend: { markers: { width: 8 } },
    series: seriesOf(latest),
    hooks: hooksOf(latest),
  };
}

function axesOf({ format = formatValue }: LineChartProps): uPlot.Axis[] {
  const line = themeColor("--line");
  const axis: uPlot.Axis = {
    stroke: themeColor("--muted"),
    font: FONT,
    grid: { stroke: line, width: 1 },
    ticks: { stroke: line, size: 4 },
  };
  return [
    { ...axis, incrs: [...STEP_INCREMENTS], values: (_, ticks) => ticks.map(stepText) },
    {
      ...axis,
      size: 56,
      values: (_, ticks) => ticks.map((tick) => (tick === null ? "" : format(tick))),
    },
  ];
}

function seriesOf(latest: Latest): uPlot.Series[] {
  const { lines, format = formatValue, xLabel = "outer step" } = latest.current;
  return [
    { label: xLabel, value: (_, step) => (step === null ? "" : stepText(step)) },
    ...lines.map((one, at): uPlot.Series => {
      const colour = paletteColor(one.colour ?? at);
      return {
        label: one.label,
        stroke: one.isFaint ? colour.replace(")", ", 0.33)") : colour,
        width: one.isFaint ? 1 : 1.75,
        spanGaps: true,
        // Decided at each drawing, since new points do not make a new chart.
        points: { show: () => hasDots(latest.current.lines[at]), size: 6, fill: colour },
        value: (_, value) => (value === null || value === undefined ? "–" : format(value)),
      };
    }),
  ];
}

function hooksOf(latest: Latest): uPlot.Options["hooks"] {
  return {
    setSelect: [
      (plot) => {
        const { left, width } = plot.select;
        if (width < 4) return;
        const range = [plot.posToVal(left, "x"), plot.posToVal(left + width, "x")] as const;
        plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
        latest.current.onZoom?.([Math.max(0, Math.floor(range[0])), Math.ceil(range[1])]);
      },
    ],
    ready: [
      (plot) => plot.over.addEventListener("dblclick", () => latest.current.onZoom?.(undefined)),
    ],
  };
}

function hasDots(line: Line | undefined): boolean {
  return line !== undefined && (line.hasDots === true || needsDots(line.values));
}

/** The range of the values with a margin, also where all are the same. */
function shareRange(_: uPlot, least: number, greatest: number): uPlot.Range.MinMax {
  const room = Math.max(0.02, (greatest - least) / 10);
  return [Math.max(0, least - room), Math.min(1, greatest + room)];
}

/** In the legend a smoothed line also stands for its pale raw line. */
function hideFaint(plot: uPlot, lines: readonly Line[]): void {
  const rows = plot.root.querySelectorAll<HTMLElement>(".u-legend .u-series");
  lines.forEach(({ isFaint }, at) => {
    const row = rows[at + 1];
    if (isFaint && row) row.style.display = "none";
  });
}

/**
 * One column of steps for all lines. Each line has its own steps, since each is thinned out alone.
 */
function dataOf(lines: readonly Line[]): uPlot.AlignedData {
  if (lines.length === 0) return [[]];
  const tables = lines.map(({ steps, values }) => [steps, values] as unknown as uPlot.AlignedData);
  return lines.length === 1 ? (tables[0] as uPlot.AlignedData) : uPlot.join(tables);
}
