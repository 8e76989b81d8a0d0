import type { ExperimentSpec } from "../../generated/page/stillhouse/v1/spec.js";

export type Spec = ExperimentSpec;

/** The value of a field that is not a message; enums are their names in the proto. */
export type FieldValue = string | number | boolean;

/** Reads a field by its path in the proto, such as "inner.lr_decay". */
export function readField(spec: Spec, path: string): FieldValue | undefined {
  let value: unknown = spec;
  for (const name of path.split(".")) {
    if (typeof value !== "object" || value === null) return undefined;
    value = new Map(Object.entries(value)).get(camelCase(name));
  }
  if (typeof value === "string") return value.endsWith("_UNSPECIFIED") ? undefined : value;
  return typeof value === "number" || typeof value === "boolean" ? value : undefined;
}

/** `lr_decay` → `lrDecay`, as the generated code writes it. */
function camelCase(name: string): string {
  return name.replace(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
}
