import assert from "node:assert/strict";
import type fc from "fast-check";
import { MeasuredPlane } from "../bench/control-plane/measured-plane.js";

/** How far a run goes. */
export interface Extent {
  readonly cases: number;
  readonly seed: number;
}

/** Something that takes input from outside. Throws at the first input, shrunk, that it does not bear. */
export type Target = (extent: Extent) => Promise<void>;

/** Longest time that one input may take, on a machine under load. */
export const CASE_LIMIT_MS = 60_000;
/** Caches fill up at first; what is held beyond this after thousands of inputs grows with them. */
const MAX_GROWTH_BYTES = 32 * 1024 * 1024;
const BEGINNING = 0.2;

export function parametersOf<T>({ cases, seed }: Extent): fc.Parameters<T> {
  return { numRuns: cases, seed };
}

/**
 * Feeds a control plane in a process of its own. After a fifth of the inputs what it holds in
 * memory must not grow any more.
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
    throw new Error(`The control plane logged at last:\n${plane.log}`, { cause: error });
  } finally {
    await plane.close();
  }
}

/** An error and what it came from: a property tells the input, and its cause what went wrong. */
export function explained(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const cause = error.cause === undefined ? "" : `\n${explained(error.cause)}`;
  return `${error.message}${cause}`;
}
