import { MAX_DEPTH } from "../messages/limits.js";

/** Finds values of a message that cannot be stored or have no meaning. */
type Fault = string;

/**
 * Numbers that may be infinite or none at all, by the last two names on the way to them: what a
 * learner came to is a fact, also where it diverged. Counts, times and rates must be finite.
 */
const MAY_BE_ANYTHING: ReadonlySet<string> = new Set([
  "points.value",
  "progress.values",
  "inits.loss",
]);

/**
 * Looks at all numbers of a decoded message, and at how deep it is.
 *
 * @returns what is wrong with the first that is wrong, as a clause: "metrics.points.step is …"
 */
export function valueFault(message: object): Fault | undefined {
  return faultOf(message, [], 0);
}

function faultOf(value: unknown, path: readonly string[], depth: number): Fault | undefined {
  if (depth > 2 * MAX_DEPTH) return `${name(path.slice(0, 3))} is nested too deep`;
  if (typeof value === "number") return numberFault(value, path);
  if (typeof value === "bigint") return countFault(value, path);
  if (typeof value !== "object" || value === null || value instanceof Uint8Array) return undefined;
  // The entries of a list have its name.
  if (Array.isArray(value)) return first(value, (entry) => faultOf(entry, path, depth));
  const union = value as { $case?: string; value?: unknown };
  if (union.$case !== undefined) {
    return faultOf(union.value, [...path.slice(0, -1), union.$case], depth + 1);
  }
  return first(Object.entries(value), ([key, entry]) => faultOf(entry, [...path, key], depth + 1));
}

function first<Entry>(
  entries: Iterable<Entry>,
  find: (entry: Entry) => Fault | undefined,
): Fault | undefined {
  for (const entry of entries) {
    const fault = find(entry);
    if (fault !== undefined) return fault;
  }
  return undefined;
}

function numberFault(value: number, path: readonly string[]): Fault | undefined {
  if (Number.isFinite(value) || mayBeAnything(path)) return undefined;
  return `${name(path)} must be finite, got ${value}`;
}

/** No true counter comes near what a number of JavaScript and SQLite's 63 bits hold. */
function countFault(value: bigint, path: readonly string[]): Fault | undefined {
  return value > BigInt(Number.MAX_SAFE_INTEGER)
    ? `${name(path)} is beyond 2^53, got ${value}`
    : undefined;
}

function mayBeAnything(path: readonly string[]): boolean {
  const [outer, inner] = [path.slice(-2).join("."), path.slice(-3, -1).join(".")];
  return MAY_BE_ANYTHING.has(outer) || MAY_BE_ANYTHING.has(inner);
}

function name(path: readonly string[]): string {
  return path.join(".");
}
