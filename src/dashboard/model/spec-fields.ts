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

/** Label kinds in the study's words: "hard labels", "SL restricted", "SL unrestricted + AL cls". */
export function labelKinds(spec: Spec): string {
  const soft = SOFT[spec.distilled?.labels ?? ""];
  const attention = ATTENTION[spec.distilled?.attentionLabels ?? ""];
  const fixed = spec.model?.init === "INIT_FIXED" ? ["fixed init"] : [];
  return [soft ?? "hard labels", ...(attention ? [attention] : []), ...fixed].join(" + ");
}

const SOFT: Readonly<Record<string, string>> = {
  LABELS_RESTRICTED: "SL restricted",
  LABELS_UNRESTRICTED: "SL unrestricted",
};

const ATTENTION: Readonly<Record<string, string>> = {
  ATTENTION_LABELS_CLS: "AL cls",
  ATTENTION_LABELS_ALL: "AL all",
};
