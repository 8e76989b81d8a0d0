import { BASELINE_IDS, type BaselineId, baselineOfKind } from "../../baselines.js";
import type { Task } from "../../generated/stillhouse/v1/experiment.js";

/** The kind of a task as a label with few values, whatever clients ask for. */
export type TaskKind =
  | "pretrain"
  | "distill"
  | "evaluate"
  | "replay"
  | "variation"
  | BaselineId
  | "other";

export const TASK_KINDS: readonly TaskKind[] = [
  "pretrain",
  "distill",
  "evaluate",
  "replay",
  "variation",
  ...BASELINE_IDS,
];

export function taskKind({ work }: Task): TaskKind {
  const kind = work?.kind;
  if (kind?.$case === "baseline") return baselineOfKind(kind.value.kind)?.id ?? "other";
  if (kind?.$case === "evaluate" && kind.value.variation) return "variation";
  return kind?.$case ?? "other";
}
