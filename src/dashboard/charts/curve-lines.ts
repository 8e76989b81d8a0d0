import { formatCount } from "../../text/format.js";
import { smoothed } from "../model/curves.js";
import type { TableTwin } from "../parts/figure.js";
import type { Line } from "./line-chart.js";

/** Fewer points are too sparse for a moving mean. */
const MIN_SMOOTHED = 50;

interface LineStyle {
  readonly isSmooth: boolean;
  readonly hasDots: boolean;
  readonly colour: number;
}

/** A curve as a line; where it is smoothed, a pale line below its moving mean. */
export function linesOfCurve(
  { label, steps, values }: Pick<Line, "label" | "steps" | "values">,
  { isSmooth, hasDots, colour }: LineStyle,
): Line[] {
  if (!isSmooth || steps.length < MIN_SMOOTHED) return [{ label, steps, values, hasDots, colour }];
  return [
    { label, steps, values, colour, isFaint: true },
    { label, steps, values: smoothed(values), colour },
  ];
}

/** The values of the lines at about `maxRows` of the steps, the last step among them. */
export function tableOfLines(
  lines: readonly Pick<Line, "label" | "steps" | "values">[],
  steps: readonly number[],
  maxRows: number,
  format: (value: number) => string,
): TableTwin {
  const every = Math.ceil(steps.length / maxRows);
  const shown = steps.filter((_, at) => at % every === 0 || at === steps.length - 1);
  const byStep = lines.map(
    (line) => new Map(line.steps.map((step, at) => [step, line.values[at]])),
  );
  return {
    head: ["step", ...lines.map(({ label }) => label)],
    rows: shown.map((step) => [
      formatCount(step),
      ...byStep.map((values) => {
        const value = values.get(step);
        return value === undefined || value === null ? "" : format(value);
      }),
    ]),
  };
}
