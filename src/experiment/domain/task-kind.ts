import { BaselineKind, type Task } from "../../generated/stillhouse/v1/experiment.js";

/** What a task is for, as a label: of few values, whatever clients ask for. */
export const TASK_KINDS = [
  "distill",
  "evaluate",
  "variation",
  "full",
  "random",
  "herding",
  "kcenter",
  "untrained",
] as const;

export type TaskKind = (typeof TASK_KINDS)[number] | "other";

const BASELINES: Partial<Record<BaselineKind, TaskKind>> = {
  [BaselineKind.FULL]: "full",
  [BaselineKind.RANDOM]: "random",
  [BaselineKind.HERDING]: "herding",
  [BaselineKind.KCENTER]: "kcenter",
  [BaselineKind.UNTRAINED]: "untrained",
};

export function taskKind({ work }: Task): TaskKind {
  const kind = work?.kind;
  if (kind?.$case === "baseline") return BASELINES[kind.value.kind] ?? "other";
  if (kind?.$case === "evaluate" && kind.value.variation) return "variation";
  return kind?.$case ?? "other";
}
