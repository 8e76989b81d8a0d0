import type { ExperimentSpec } from "../../generated/stillhouse/v1/spec.js";
import { camelCase, type Wire } from "../server/wire.js";

export type Spec = Wire<ExperimentSpec>;

/** A field that is no message; enums are their names in the proto. */
export type FieldValue = string | number | boolean;

/** Reads a field by its path in the proto, such as "inner.lr_decay". */
export function readField(spec: Spec, path: string): FieldValue | undefined {
  let value: unknown = spec;
  for (const name of path.split(".")) {
    if (typeof value !== "object" || value === null) return undefined;
    value = (value as Record<string, unknown>)[camelCase(name)];
  }
  return typeof value === "object" || value === null ? undefined : (value as FieldValue);
}

/** What tells distilled data from other of the same study: "SL restricted + AL cls, 3 steps". */
export function shortLabel(spec: Spec): string {
  const soft = SOFT[spec.distilled?.labels ?? ""];
  const attention = ATTENTION[spec.distilled?.attentionLabels ?? ""];
  const steps = spec.inner?.steps ?? 1;
  return [
    [soft, attention].filter(Boolean).join(" + ") || "hard labels",
    ...(spec.model?.init === "INIT_FIXED" ? ["fixed init"] : []),
    ...(steps === 1 ? [] : [`${steps} steps`]),
  ].join(", ");
}

const SOFT: Readonly<Record<string, string>> = {
  LABELS_RESTRICTED: "SL restricted",
  LABELS_UNRESTRICTED: "SL unrestricted",
};

const ATTENTION: Readonly<Record<string, string>> = {
  ATTENTION_LABELS_CLS: "AL cls",
  ATTENTION_LABELS_ALL: "AL all",
};
