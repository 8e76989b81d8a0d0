import { ExperimentSpec } from "../generated/stillhouse/v1/spec.js";

/** The value of a field that is not a message. Enums are their names in the proto. */
export type FieldValue = string | number | boolean;

/** A spec without any value, in which every group exists and can be filled in. */
export function emptySpec(): ExperimentSpec {
  return ExperimentSpec.fromPartial({
    dataset: {},
    model: {},
    distilled: {},
    inner: {},
    outer: {},
    evaluation: {},
    baseline: {},
    compute: {},
    pool: {},
    objective: {},
  });
}

/**
 * Reads a field by its path in the proto, such as "inner.lr_decay".
 *
 * An enum that is not set reads as its `_UNSPECIFIED` name; every other unset field as undefined.
 */
export function readField(spec: ExperimentSpec, path: string): FieldValue | undefined {
  let value: unknown = spec;
  for (const key of keysOf(path)) {
    if (typeof value !== "object" || value === null) return undefined;
    value = (value as Record<string, unknown>)[key];
  }
  return value as FieldValue | undefined;
}

/** Sets a field by its path in the proto; the spec must have the group, as `emptySpec` has. */
export function writeField(spec: ExperimentSpec, path: string, value: FieldValue): void {
  const keys = keysOf(path);
  const last = keys.pop() as string;
  let group = spec as unknown as Record<string, unknown>;
  for (const key of keys) group = group[key] as Record<string, unknown>;
  group[last] = value;
}

/** Path of a field of a request; a field of its spec is named by its path within the spec. */
export function withoutSpec(path: string): string {
  return path.replace(/^(draft|spec)\./, "");
}

/** The name that a field of the proto has in our code: "lrDecay" of "lr_decay". */
export function keyOf(name: string): string {
  return name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
}

function keysOf(path: string): string[] {
  return path.split(".").map(keyOf);
}
