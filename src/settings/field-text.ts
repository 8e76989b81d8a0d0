import type { ExperimentSpec } from "../generated/stillhouse/v1/spec.js";
import { readField } from "./field-path.js";
import { settingOf } from "./settings.js";
import { writtenValue } from "./values.js";

/** A setting's field in a resolved spec as tables show it; empty where it is not set. */
export function fieldText(spec: ExperimentSpec, path: string): string {
  const value = readField(spec, path);
  if (value === undefined) return "";
  if (typeof value === "boolean") return value ? "on" : "off";
  return writtenValue(settingOf(path), value);
}
