import { extent } from "d3-array";
import { needsDots, stepDomain, stepText, stepTicks } from "../../text/step-axis.js";
import type { ComparedView } from "../model/comparison.js";
import type { FigureStyle } from "./figure-style.js";
import type { Line } from "./line-chart.js";
import type { Marks } from "./plot-figure.js";

const ROW_HEIGHT = 44;
/** Pixels. */
const FONT_SIZE = 12;

export function accuracyFigureHeight(experiments: readonly ComparedView[]): number {
  return experiments.length * ROW_HEIGHT + 46;
}

/** The mean accuracy of each experiment with its 95 % interval. */
export function drawAccuracies(
  { plot, dot, link, text }: Marks,
  width: number,
  experiments: readonly ComparedView[],
  style: FigureStyle,
): Element {
  const rows = experiments.flatMap(({ label, mean, interval }, at) =>
    mean === undefined
      ? []
      : [
          {
            label,
            mean: mean * 100,
            low: (interval?.[0] ?? mean) * 100,
            high: (interval?.[1] ?? mean) * 100,
            colour: style.series(at),
          },
        ],
  );
  return plot({
    width,
    height: accuracyFigureHeight(experiments),
    marginLeft: 12,
    marginRight: 20,
    marginTop: 8,
    marginBottom: 38,
    style: {
      background: style.background,
      color: style.muted,
      fontFamily: style.fontFamily,
      fontSize: `${FONT_SIZE}px`,
    },
    x: {
      label: "test accuracy, %",
      labelArrow: "none",
      grid: true,
      nice: true,
      inset: 10,
      domain: percentDomain(rows.flatMap(({ low, high }) => [low, high])),
    },
    y: { axis: null, domain: rows.map(({ label }) => label), padding: 0.2, insetBottom: 8 },
    marks: [
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
        lineWidth: (width - 40) / FONT_SIZE,
        fill: style.ink,
        fontWeight: 500,
        dy: -8,
        dx: 2,
      } as never),
    ],
    color: { type: "identity" },
  });
}

/** What an axis of percents shows: at least a point, also where all are the same. */
export function percentDomain(values: readonly number[]): [number, number] {
  const [least = 0, greatest = 0] = extent(values);
  return greatest - least >= 1 ? [least, greatest] : [Math.max(0, greatest - 1), greatest];
}

/** Curves over each other, for a paper. */
export function drawCurves(
  { plot, dot, line, text }: Marks,
  width: number,
  lines: readonly Line[],
  label: string,
  style: FigureStyle,
): Element {
  const bold = lines.filter(({ isFaint }) => !isFaint);
  const points = bold.flatMap(({ label, steps, values, colour }, at) =>
    steps.map((step, index) => ({
      label,
      step,
      value: values[index] ?? Number.NaN,
      colour: style.series(colour ?? at),
      isDot: needsDots(values),
    })),
  );
  const domain = stepDomain(points.map(({ step }) => step));
  const names = bold.map(({ label, colour }, at) => ({
    label,
    colour: style.series(colour ?? at),
    place: at,
  }));
  return plot({
    width,
    height: 380 + 18 * names.length,
    marginLeft: 56,
    marginTop: 24 + 18 * names.length,
    marginBottom: 40,
    style: {
      background: style.background,
      color: style.muted,
      fontFamily: style.fontFamily,
      fontSize: `${FONT_SIZE}px`,
    },
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
    marks: [
      line(points, { x: "step", y: "value", z: "label", stroke: "colour", strokeWidth: 1.5 }),
      dot(
        points.filter(({ isDot }) => isDot),
        { x: "step", y: "value", r: 3, fill: "colour" },
      ),
      ...names.map(({ label, colour, place }) =>
        text([label], {
          frameAnchor: "top-left",
          dy: -18 * (names.length - place) - 6,
          fill: colour,
          fontWeight: 600,
        }),
      ),
    ],
  });
}
