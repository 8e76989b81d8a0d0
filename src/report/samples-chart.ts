import { dot, gridY, line, ruleX } from "@observablehq/plot";
import { drawChart } from "./chart.js";

/** Learners on distilled data of so many samples; accuracies as fractions. */
export interface SamplePoint {
  readonly samples: number;
  readonly mean: number;
  /** Over learners. */
  readonly std: number;
  /** In percent. */
  readonly published: number | undefined;
}

/** Accuracy over the number of distilled samples, with the published figures as diamonds. */
export function samplesChart(points: readonly SamplePoint[]): string {
  const means = points.map(({ samples, mean }) => ({ samples, accuracy: mean * 100 }));
  const spreads = points.map(({ samples, mean, std }) => ({
    samples,
    low: (mean - std) * 100,
    high: (mean + std) * 100,
  }));
  const published = points.flatMap(({ samples, published }) =>
    published === undefined ? [] : [{ samples, accuracy: published }],
  );
  return drawChart({
    ariaLabel: "Accuracy over the number of distilled samples",
    height: 300,
    marginLeft: 56,
    marginTop: 32,
    marginBottom: 40,
    x: { label: "distilled samples", labelAnchor: "center", inset: 20, ticks: ticksOf(points) },
    y: { label: "accuracy (%)", domain: [0, 100] },
    marks: [
      gridY({ stroke: "var(--line)", strokeOpacity: 1 }),
      line(means, { x: "samples", y: "accuracy", stroke: "var(--series-1)", strokeWidth: 2 }),
      ruleX(spreads, { x: "samples", y1: "low", y2: "high", stroke: "var(--series-1)" }),
      dot(means, { x: "samples", y: "accuracy", r: 3, fill: "var(--series-1)" }),
      dot(published, {
        ...{ x: "samples", y: "accuracy", symbol: "diamond", r: 4 },
        ...{ stroke: "var(--series-2)", fill: "var(--paper)", strokeWidth: 1.5 },
      }),
    ],
  });
}

function ticksOf(points: readonly SamplePoint[]): number[] {
  return [...new Set(points.map(({ samples }) => samples))];
}
