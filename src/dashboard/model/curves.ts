import { bisectLeft, group, min } from "d3-array";
import {
  type MetricDescriptor,
  type MetricGroup,
  MetricScale,
  type MetricSeries,
  MetricUnit,
} from "../../generated/page/stillhouse/v1/service.js";

/** Points of one metric of one task, by ascending step. */
export interface Curve {
  readonly taskId: string;
  readonly name: string;
  readonly steps: readonly number[];
  readonly values: readonly (number | null)[];
  /** How many points the server has; these may be a thinned-out part of them. */
  readonly numPoints: number;
  /** Absent from a curve that began with live points: only the server knows the descriptor. */
  readonly descriptor: MetricDescriptor | undefined;
}

export interface NewPoint {
  readonly taskId: string;
  readonly name: string;
  readonly step: number;
  readonly value: number | null;
}

/** Curves that belong together, and how they are shown. */
export interface CurveGroup extends MetricGroup {
  readonly curves: readonly Curve[];
  readonly isPercent: boolean;
  readonly mayBeLog: boolean;
}

/** The curves by the groups of their descriptors, in the order in which they are shown. */
export function curveGroups(curves: readonly Curve[]): CurveGroup[] {
  const described = curves.filter(({ descriptor }) => descriptor?.group !== undefined);
  const groups = [...group(described, ({ descriptor }) => descriptor?.group?.id).values()];
  return groups
    .flatMap((members): CurveGroup[] => {
      const { group: shown, scale } = members[0]?.descriptor ?? {};
      if (shown === undefined) return [];
      const [first] = members;
      const mayBeLog = scale === MetricScale.LOGARITHMIC;
      return [{ ...shown, curves: members, isPercent: first ? isPercent(first) : false, mayBeLog }];
    })
    .sort((a, b) => a.rank - b.rank || a.id.localeCompare(b.id, "en"));
}

/** The same metric of several tasks, in one chart. */
export interface SharedChart {
  readonly title: string;
  readonly summary: string;
  readonly curves: readonly Curve[];
  /** What tells the curves apart: the names of their tasks. */
  readonly labels: readonly string[];
}

/**
 * Charts of tasks that do not distil: one per metric, but for those of learners, which the results
 * show.
 *
 * @param names of tasks, by id
 */
export function chartsByMetric(
  curves: readonly Curve[],
  names: ReadonlyMap<string, string>,
): SharedChart[] {
  const shown = curves.filter(
    ({ descriptor }) => descriptor !== undefined && descriptor.group?.id !== "learners",
  );
  return [...group(shown, ({ name }) => name).values()].map((members) => {
    const labels = members.map(({ taskId }) => names.get(taskId) ?? taskId);
    const [first] = members;
    const title = first?.descriptor?.group?.title ?? first?.name ?? "";
    return {
      title: members.length === 1 ? `${title}: ${labels[0]}` : title,
      summary: first?.descriptor?.group?.summary ?? "",
      curves: members,
      labels,
    };
  });
}

export function isPercent({ descriptor }: Pick<Curve, "descriptor">): boolean {
  return descriptor?.unit === MetricUnit.FRACTION;
}

export function curveLabel({ name, descriptor }: Pick<Curve, "name" | "descriptor">): string {
  return descriptor?.title ?? name;
}

export function curvesOf(series: readonly MetricSeries[]): Curve[] {
  return series.map((one) => ({ ...one, values: one.values.map(drawable) }));
}

/** The value as it can be drawn: a loss of NaN is a gap in its curve. */
export function drawable(value: number): number | null {
  return Number.isFinite(value) ? value : null;
}

/**
 * Adds live points. If an interrupted attempt and its successor both computed a step, the later
 * value counts.
 */
export function withPoints(curves: readonly Curve[], points: readonly NewPoint[]): Curve[] {
  const changed = new Map(curves.map((curve) => [keyOf(curve), curve]));
  for (const [key, added] of group(points, keyOf)) {
    const [first] = added;
    if (first === undefined) continue;
    const old = changed.get(key) ?? {
      taskId: first.taskId,
      name: first.name,
      steps: [],
      values: [],
      numPoints: 0,
      descriptor: undefined,
    };
    changed.set(key, appended(old, added));
  }
  // In the order of the server, so that a curve keeps its colour when all are requested again.
  return [...changed.values()].sort((a, b) => a.name.localeCompare(b.name, "en"));
}

function appended(curve: Curve, added: readonly NewPoint[]): Curve {
  const keep = bisectLeft(curve.steps, min(added, ({ step }) => step) ?? 0);
  const byStep = new Map<number, number | null>();
  curve.steps.slice(keep).forEach((step, at) => {
    byStep.set(step, curve.values[keep + at] ?? null);
  });
  for (const { step, value } of added) byStep.set(step, value);
  const tail = [...byStep].sort(([a], [b]) => a - b);
  return {
    ...curve,
    steps: [...curve.steps.slice(0, keep), ...tail.map(([step]) => step)],
    values: [...curve.values.slice(0, keep), ...tail.map(([, value]) => value)],
    numPoints: curve.numPoints + keep + tail.length - curve.steps.length,
  };
}

/** The moving mean over a window whose length is a share of the curve. */
export function smoothed(values: readonly (number | null)[], share = 0.04): (number | null)[] {
  const half = Math.floor((values.length * share) / 2);
  if (half < 1) return [...values];
  const sums = [0];
  const counts = [0];
  for (const value of values) {
    sums.push((sums.at(-1) as number) + (value ?? 0));
    counts.push((counts.at(-1) as number) + (value === null ? 0 : 1));
  }
  return values.map((_, at) => {
    const [from, to] = [Math.max(0, at - half), Math.min(values.length, at + half + 1)];
    const count = (counts[to] as number) - (counts[from] as number);
    return count === 0 ? null : ((sums[to] as number) - (sums[from] as number)) / count;
  });
}

/** Outer steps per second: one over the sum of the phases, each read at the same steps. */
export function stepsPerSecond(phases: readonly Curve[]): Pick<Curve, "steps" | "values"> {
  const longest = [...phases].sort((a, b) => b.steps.length - a.steps.length)[0];
  const steps = longest?.steps ?? [];
  const values = steps.map((step) => {
    const total = phases.reduce((sum, phase) => sum + (valueAt(phase, step) ?? 0), 0);
    return total > 0 ? 1 / total : null;
  });
  return { steps, values };
}

/** The value at a step, interpolated linearly between two points. */
export function valueAt({ steps, values }: Pick<Curve, "steps" | "values">, step: number) {
  const at = bisectLeft(steps, step);
  if (steps[at] === step || at === 0) return values[at] ?? undefined;
  const [x0, x1] = [steps[at - 1] as number, steps[at]];
  const [y0, y1] = [values[at - 1], values[at]];
  if (x1 === undefined || y1 === null || y1 === undefined) return y0 ?? undefined;
  if (y0 === null || y0 === undefined) return y1;
  return y0 + ((y1 - y0) * (step - x0)) / (x1 - x0);
}

function keyOf({ taskId, name }: { readonly taskId: string; readonly name: string }): string {
  return `${taskId} ${name}`;
}
