import type { Experiment } from "../../generated/stillhouse/v1/experiment.js";
import type { RelativeScores } from "../../results/relative-scores.js";
import { type Row, type RowMessage, scoresOf, testedRow, testedRows } from "../../results/rows.js";
import type { Summary } from "../../statistics.js";

/** Distilled data under one condition. */
export interface Condition {
  /** Name of the variation; "plain" for the evaluation as distilled. */
  readonly id: string;
  readonly label: string;
  /** Absent where it failed, or has not been measured as a whole: a part of the learners is another figure. */
  readonly row: Row | undefined;
  /** How much better than as distilled, over learners with the same seeds. */
  readonly difference: Summary | null;
  /** Why it failed; null where it did not. */
  readonly failure: string | null;
}

export interface RobustnessResult {
  /** As distilled, then the variations. */
  readonly conditions: readonly Condition[];
  readonly baselines: readonly Row[];
  readonly scores: RelativeScores;
}

const PLAIN = "plain";

/** The result of an experiment on the robustness of distilled data, as it is shown. */
export function robustnessResult({ result }: Experiment): RobustnessResult {
  const rows = result?.rows ?? [];
  return {
    conditions: rows.filter(({ condition }) => condition !== "").map(conditionOf),
    baselines: testedRows(result).filter(({ kind }) => kind === "baseline"),
    scores: scoresOf(result?.relativeScores),
  };
}

function conditionOf(message: RowMessage): Condition {
  const row = testedRow(message);
  return {
    id: message.id === "distilled" ? PLAIN : message.id,
    label: message.condition,
    row: row?.isComplete ? row : undefined,
    difference: row?.difference ?? null,
    failure: message.failure || null,
  };
}
