import assert from "node:assert/strict";
import type fc from "fast-check";
import { MeasuredPlane } from "../bench/control-plane/measured-plane.js";

/** How many cases a run has, and its seed. */
export interface Extent {
  readonly cases: number;
  readonly seed: number;
}

/** Fuzzes something that reads input from outside. Throws at the first input that breaks it, shrunk. */
export type Target = (extent: Extent) => Promise<void>;

/** Longest time that one input may take, on a busy machine. */
export const CASE_LIMIT_MS = 60_000;
/** Caches may fill up by this much; more after thousands of inputs is a leak. */
const MAX_GROWTH_BYTES = 32 * 1024 * 1024;
const BEGINNING = 0.2;

export function parametersOf<T>({ cases, seed }: Extent): fc.Parameters<T> {
  return { numRuns: cases, seed };
}

/**
 * Feeds a control plane in a process of its own. After a fifth of the inputs its memory must not
 * grow any more.
 *
 * @param feed calls `fed` after each input
 */
export async function withPlane(
  { cases }: Extent,
  feed: (plane: MeasuredPlane, fed: () => Promise<void>) => Promise<void>,
): Promise<void> {
  const plane = await MeasuredPlane.start({ collects: true, keepsLog: true, http: true });
  const heldBytes = async () => (await plane.usage()).heldBytes;
  let numFed = 0;
  let earlyBytes: number | undefined;
  const fed = async () => {
    numFed++;
    if (numFed === Math.ceil(cases * BEGINNING)) earlyBytes = await heldBytes();
  };
  try {
    await feed(plane, fed);
    const lateBytes = await heldBytes();
    const growth = lateBytes - (earlyBytes ?? lateBytes);
    assert.ok(growth < MAX_GROWTH_BYTES, `memory grew by ${growth} bytes over ${numFed} inputs`);
  } catch (error) {
    throw new Error(`The last lines of the control plane's log:\n${plane.log}`, { cause: error });
  } finally {
    await plane.close();
  }
}

/** An error with its causes: that of a property says the input, and its cause what went wrong. */
export function explained(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const cause = error.cause === undefined ? "" : `\n${explained(error.cause)}`;
  return `${error.message}${cause}`;
}
