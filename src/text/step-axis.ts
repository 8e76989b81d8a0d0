/** How far two ticks of an axis of steps may be from each other: there is no half a step. */
export const STEP_INCREMENTS: readonly number[] = Array.from({ length: 12 }, (_, power) =>
  [1, 2, 5].map((digit) => digit * 10 ** power),
).flat();

/** Ticks of an axis of steps, the smallest round distance that needs no more than `most`. */
export function stepTicks(first: number, last: number, most = 10): number[] {
  const distance = STEP_INCREMENTS.find((increment) => (last - first) / increment < most) ?? 1;
  const from = Math.ceil(first / distance);
  const count = Math.max(0, Math.floor(last / distance) - from + 1);
  return Array.from({ length: count }, (_, at) => (from + at) * distance);
}

/** What an axis shows of these steps; of a single one its neighbours too, since a point has no width. */
export function stepDomain(steps: readonly number[]): [first: number, last: number] {
  let [first, last] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const step of steps) [first, last] = [Math.min(first, step), Math.max(last, step)];
  if (first > last) return [0, 1];
  return first === last ? [Math.max(0, first - 1), last + 1] : [first, last];
}

/** Whether a line through these values might not be seen without a dot at each. */
export function needsDots(values: readonly (number | null)[]): boolean {
  return values.filter((value) => value !== null && Number.isFinite(value)).length < 3;
}

/** 120000 → "120,000". */
export function stepText(step: number): string {
  return step.toLocaleString("en-US");
}
