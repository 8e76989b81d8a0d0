import { dot, gridY, line } from "@observablehq/plot";
import { needsDots, stepDomain, stepText, stepTicks } from "../text/step-axis.js";
import { drawChart, seriesColor } from "./chart.js";

/** A metric of one distillation over its outer steps. */
export interface Curve {
  readonly label: string;
  readonly seed: number;
  readonly points: readonly { readonly step: number; readonly value: number }[];
}

/** The content of a chart of curves. */
export interface CurveChart {
  /** Label of the vertical axis. */
  readonly axis: string;
  readonly curves: readonly Curve[];
  /** Whether the points are few enough to be drawn as dots. */
  readonly hasDots: boolean;
}

/** Curves of one metric; curves with the same label have the same colour, whatever their seed. */
export function curveChart({ axis, curves, hasDots }: CurveChart): string {
  const labels = [...new Set(curves.map(({ label }) => label))];
  const points = curves.flatMap(({ label, seed, points }) =>
    points.map(({ step, value }) => ({ label, curve: `${label}/${seed}`, step, value })),
  );
  const dots = curves.flatMap(({ label, points }) =>
    hasDots || needsDots(points.map(({ value }) => value))
      ? points.map(({ step, value }) => ({ label, step, value }))
      : [],
  );
  const domain = stepDomain(points.map(({ step }) => step));
  const channels = { x: "step", y: "value", z: "curve", stroke: "label" };
  return drawChart({
    ariaLabel: `${axis} over outer steps`,
    height: 300,
    marginLeft: 56,
    marginTop: 32,
    marginBottom: 40,
    x: {
      label: "outer step",
      labelAnchor: "center",
      domain,
      ticks: stepTicks(...domain),
      tickFormat: stepText,
    },
    y: { label: axis, nice: true },
    color: { legend: true, domain: labels, range: labels.map((_, at) => seriesColor(at)) },
    marks: [
      gridY({ stroke: "var(--line)", strokeOpacity: 1 }),
      line(points, { ...channels, strokeWidth: hasDots ? 2 : 1.25 }),
      dot(dots, { x: "step", y: "value", stroke: "label", r: 3, fill: "label" }),
    ],
  });
}
