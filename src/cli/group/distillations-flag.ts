import { invalid } from "../../errors.js";

/** More than this is a typing mistake. */
const MOST = 1000;
/** The seed where none is given, as in the presets. */
export const FIRST_SEED = 0;
/** Greatest of 32 bits. */
export const MAX_SEED = 2 ** 32 - 1;

/** @throws StillhouseError INVALID where it is no number of distillations. */
export function distillationsOf(raw: unknown): number | undefined {
  if (raw === undefined) return undefined;
  const number = typeof raw === "string" && /^[1-9]\d{0,3}$/.test(raw) ? Number(raw) : MOST + 1;
  if (number <= MOST) return number;
  throw invalid(
    "seed",
    `--distillations must be a whole number from 1 to ${MOST}, got ${JSON.stringify(raw)}`,
  );
}

/**
 * The seeds of several distillations of the same settings.
 *
 * @throws StillhouseError INVALID where the last one is too great for a seed.
 */
export function seedsFrom(first: number, count: number): number[] {
  const last = first + count - 1;
  if (last > MAX_SEED) {
    throw invalid(
      "seed",
      `--seed ${first} with --distillations ${count} ends at ${last}; a seed must be ≤ ${MAX_SEED}`,
    );
  }
  return Array.from({ length: count }, (_, at) => first + at);
}
