import fc from "fast-check";

/** What is done to a part of a running system, and how long. */
export interface Fault {
  readonly kind: FaultKind;
  /** Which of the workers or experiments, modulo their number. */
  readonly target: number;
  /** Time since the start of the fault before it. */
  readonly afterMs: number;
  readonly lastsMs: number;
}

export type FaultKind =
  | "kill worker"
  | "kill own worker"
  | "kill server"
  | "pause worker"
  | "pause server"
  | "cut off"
  | "hold back"
  | "full disk"
  | "withdraw key"
  | "cancel and resume"
  | "cancel and retry"
  | "delete";

/** Kills are rarer, since a worker needs seconds to start, in which nothing else can happen to it. */
const WEIGHTS: readonly (readonly [FaultKind, number])[] = [
  ["kill worker", 2],
  ["kill own worker", 1],
  ["kill server", 2],
  ["pause worker", 3],
  ["pause server", 1],
  ["cut off", 3],
  ["hold back", 3],
  ["full disk", 2],
  ["withdraw key", 2],
  ["cancel and resume", 2],
  ["cancel and retry", 2],
  ["delete", 1],
];

/**
 * The faults of a seed, always the same.
 *
 * @param leaseMs pauses and cuts last from 0.1 to 1.5 times as long
 */
export function drawFaults(count: number, seed: number, leaseMs: number): Fault[] {
  const kinds = WEIGHTS.map(([kind, weight]) => ({ weight, arbitrary: fc.constant(kind) }));
  const fault = fc.record({
    kind: fc.oneof(...kinds),
    target: fc.nat(1_000),
    afterMs: fc.integer({ min: 500, max: 4_500 }),
    lastsMs: fc.integer({ min: Math.round(leaseMs / 10), max: Math.round(1.5 * leaseMs) }),
  });
  // noBias: small values are not the interesting ones here.
  const unbiased = fc.noBias(fault);
  return fc.sample(unbiased, { numRuns: count, seed });
}
