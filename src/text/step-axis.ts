import { extent, ticks } from "d3-array";
import { formatCount } from "./format.js";
/** How far two ticks of an axis of steps may be from each other: there is no half a step. */
export const STEP_INCREMENTS: readonly number[] = Array.from({ length: 12 }, (_, power) =>
  [1, 2, 5].map((digit) => digit * 10 ** power),
).flat();

/** About eight ticks of an axis of steps, at round distances. */
export function stepTicks(first: number, last: number): number[] {
  return ticks(first, last, Math.min(8, last - first));
}

/** What an axis shows of these steps; of a single one its neighbours too, since a point has no width. */
export function stepDomain(steps: readonly number[]): [first: number, last: number] {
  const [first, last] = extent(steps);
  if (first === undefined) return [0, 1];
  return first === last ? [Math.max(0, first - 1), last + 1] : [first, last];
}

/** Whether a line through these values might be invisible without a dot at each. */
export function needsDots(values: readonly (number | null)[]): boolean {
  return values.filter((value) => value !== null && Number.isFinite(value)).length < 3;
}

/** 120000 → "120,000". */
export function stepText(step: number): string {
  return formatCount(step);
}
