import type { DistillResult, Experiment } from "../../generated/stillhouse/v1/experiment.js";
import type { DistillationSummary } from "../../generated/stillhouse/v1/result.js";
import { type Row, testedRows } from "../../results/rows.js";

/** The table of an experiment that distils. */
export interface ShownResult {
  /** In the order of the study, without variations. */
  readonly rows: readonly Row[];
  /** Null without the full data. */
  readonly ratioToFull: number | null;
  /** Null where learners are not pretrained, or one of the three is not measured. */
  readonly gapClosed: number | null;
  readonly distillation: DistillationSummary | undefined;
}

export function resultOf({ result }: Experiment): ShownResult {
  return {
    rows: testedRows(result).filter(({ kind }) => kind !== "variation"),
    ratioToFull: result?.ratioToFull ?? null,
    gapClosed: result?.gapClosed ?? null,
    distillation: result?.distillation,
  };
}

/** What was distilled, with its files. */
export function artifactOf({ tasks }: Experiment): DistillResult["artifact"] {
  for (const { result } of tasks) {
    if (result?.kind?.$case === "distill") return result.kind.value.artifact;
  }
  return undefined;
}
