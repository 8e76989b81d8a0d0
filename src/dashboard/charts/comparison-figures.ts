import { extent } from "d3-array";
import { needsDots, stepDomain, stepText, stepTicks } from "../../text/step-axis.js";
import type { ComparedView } from "../model/comparison.js";
import { FIGURE_FONT_SIZE, type FigureStyle, lettersOf } from "./figure-style.js";
import type { Line } from "./line-chart.js";
import type { Marks } from "./plot-figure.js";

const ROW_HEIGHT = 44;
const LEGEND_ROW_HEIGHT = 18;

export function accuracyFigureHeight(experiments: readonly ComparedView[]): number {
  return experiments.length * ROW_HEIGHT + 46;
}

/** The mean accuracy of each experiment with its 95 % interval. */
export function drawAccuracies(
  marks: Marks,
  width: number,
  experiments: readonly ComparedView[],
  style: FigureStyle,
): Element {
  const rows = accuracyRows(experiments, style);
  return marks.plot({
    width,
    height: accuracyFigureHeight(experiments),
    marginLeft: 12,
    marginRight: 20,
    marginTop: 8,
    marginBottom: 38,
    style: lettersOf(style),
    x: {
      label: "test accuracy, %",
      labelArrow: "none",
      grid: true,
      nice: true,
      inset: 10,
      domain: percentDomain(rows.flatMap(({ low, high }) => [low, high])),
    },
    y: { axis: null, domain: rows.map(({ label }) => label), padding: 0.2, insetBottom: 8 },
    marks: accuracyMarks(marks, rows, width, style),
    color: { type: "identity" },
  });
}

interface AccuracyRow {
  readonly label: string;
  /** In percent, as the ends of the interval. */
  readonly mean: number;
  readonly low: number;
  readonly high: number;
  readonly colour: string;
}

function accuracyRows(experiments: readonly ComparedView[], style: FigureStyle): AccuracyRow[] {
  return experiments.flatMap(({ label, mean, interval }, at) => {
    if (mean === undefined) return [];
    const [low, high] = interval ?? [mean, mean];
    return [
      { label, mean: mean * 100, low: low * 100, high: high * 100, colour: style.series(at) },
    ];
  });
}

function accuracyMarks(
  { dot, link, text }: Marks,
  rows: readonly AccuracyRow[],
  width: number,
  style: FigureStyle,
) {
  return [
    link(rows, {
      x1: "low",
      x2: "high",
      y1: "label",
      y2: "label",
      stroke: "colour",
      strokeWidth: 4,
      strokeOpacity: 0.45,
      dy: 8,
    } as never),
    dot(rows, { x: "mean", y: "label", r: 4.5, fill: "colour", dy: 8 } as never),
    text(rows, {
      y: "label",
      text: "label",
      frameAnchor: "left",
      textAnchor: "start",
      textOverflow: "ellipsis",
      lineWidth: (width - 40) / FIGURE_FONT_SIZE,
      fill: style.ink,
      fontWeight: 500,
      dy: -8,
      dx: 2,
    } as never),
  ];
}

/** The range of a percent axis: at least one point wide, also where all values are the same. */
export function percentDomain(values: readonly number[]): [number, number] {
  const [least = 0, greatest = 0] = extent(values);
  return greatest - least >= 1 ? [least, greatest] : [Math.max(0, greatest - 1), greatest];
}

/** Curves in one frame, for a paper. */
export function drawCurves(
  marks: Marks,
  width: number,
  lines: readonly Line[],
  label: string,
  style: FigureStyle,
): Element {
  const bold = lines.filter(({ isFaint }) => !isFaint);
  const points = curvePoints(bold, style);
  const domain = stepDomain(points.map(({ step }) => step));
  const legendHeight = LEGEND_ROW_HEIGHT * bold.length;
  return marks.plot({
    width,
    height: 380 + legendHeight,
    marginLeft: 56,
    marginTop: 24 + legendHeight,
    marginBottom: 40,
    style: lettersOf(style),
    x: {
      label: "outer step",
      labelArrow: "none",
      grid: true,
      domain,
      ticks: stepTicks(...domain),
      tickFormat: stepText,
    },
    y: { label, labelArrow: "none", grid: true, nice: true },
    color: { type: "identity" },
    marks: [...curveMarks(marks, points), ...legendMarks(marks, bold, style)],
  });
}

interface CurvePoint {
  readonly label: string;
  readonly step: number;
  readonly value: number;
  readonly colour: string;
  readonly isDot: boolean;
}

function curvePoints(lines: readonly Line[], style: FigureStyle): CurvePoint[] {
  return lines.flatMap(({ label, steps, values, colour }, at) =>
    steps.map((step, index) => ({
      label,
      step,
      value: values[index] ?? Number.NaN,
      colour: style.series(colour ?? at),
      isDot: needsDots(values),
    })),
  );
}

function curveMarks({ dot, line }: Marks, points: readonly CurvePoint[]) {
  const dots = points.filter(({ isDot }) => isDot);
  return [
    line(points, { x: "step", y: "value", z: "label", stroke: "colour", strokeWidth: 1.5 }),
    dot(dots, { x: "step", y: "value", r: 3, fill: "colour" }),
  ];
}

/** The names of the lines, one below the other above the frame. */
function legendMarks({ text }: Marks, lines: readonly Line[], style: FigureStyle) {
  return lines.map(({ label, colour }, at) =>
    text([label], {
      frameAnchor: "top-left",
      dy: -LEGEND_ROW_HEIGHT * (lines.length - at) - 6,
      fill: style.series(colour ?? at),
      fontWeight: 600,
    }),
  );
}
