import { OF_SAMPLES } from "../baselines.js";
import type {
  RelativeScore,
  RelativeScores,
  ResultRow,
  Summary as SummaryMessage,
} from "../generated/stillhouse/v1/result.js";
import type { Summary } from "../statistics.js";
import {
  type Comparison,
  HARD_LABELS,
  ownLabelsName,
  relativeScores,
  type ScoredRow,
} from "./relative-scores.js";
import { learnersBySeed } from "./rows.js";

/**
 * The scores relative to real samples.
 *
 * @param rows with all learners tested
 * @returns undefined where none can be computed
 */
export function relativeScoresOf(rows: readonly ResultRow[]): RelativeScores | undefined {
  const named = (id: string) => scoredRow(rows.find((row) => row.id === id));
  const real = OF_SAMPLES.map(({ id }) => {
    return [id, { hard: named(id), own: named(ownLabelsName(id)) }] as const;
  });
  const { hardLabelRecovery, comparisons } = relativeScores({
    full: named("full"),
    own: named("distilled"),
    hard: named(HARD_LABELS),
    real: new Map(real.filter(([, { hard, own }]) => hard || own)),
  });
  if (hardLabelRecovery === null && comparisons.length === 0) return undefined;
  return {
    hardLabelRecovery: hardLabelRecovery ?? undefined,
    against: comparisons.map(comparisonMessage),
  };
}

function scoredRow(row: ResultRow | undefined): ScoredRow | undefined {
  if (row?.accuracy === undefined) return undefined;
  return { accuracy: row.accuracy, learners: learnersBySeed(row) };
}

function comparisonMessage({ id, iorHard, iorOwn, labelRobustScore }: Comparison): RelativeScore {
  return {
    id,
    iorHardLabels: iorHard === null ? undefined : summaryMessage(iorHard),
    iorOwnLabels: iorOwn === null ? undefined : summaryMessage(iorOwn),
    labelRobustScore: labelRobustScore ?? undefined,
  };
}

export function summaryMessage({ mean, std, n, interval95 }: Summary): SummaryMessage {
  const [intervalLow, intervalHigh] = interval95 ?? [];
  return { mean, std: std ?? undefined, n, intervalLow, intervalHigh };
}
