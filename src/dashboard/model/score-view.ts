import { OF_SAMPLES } from "../../baselines.js";
import {
  type RelativeScores,
  relativeScores,
  type ScoredRow,
} from "../../results/relative-scores.js";
import type { Summary } from "../../statistics.js";
import { formatGain, formatPercent } from "./format.js";
import type { ResultView, RowId } from "./result-view.js";

/** The scores of distilled data relative to real data, of the rows of a robustness experiment. */
export function scoresOf(results: readonly ResultView[]): RelativeScores {
  const row = (id: RowId): ScoredRow | undefined => {
    const found = results.find((result) => result.id === id);
    if (found === undefined) return undefined;
    const learners = found.learners.map(
      ({ initSeed, accuracy }) => [String(initSeed), accuracy] as const,
    );
    return { accuracy: found.accuracy, learners: new Map(learners) };
  };
  const real = OF_SAMPLES.map(({ id }) => {
    return [id, { hard: row(id), own: row(`variation ${id} own labels`) }] as const;
  }).filter(([, { hard, own }]) => hard || own);
  return relativeScores({
    full: row("full"),
    own: row("distilled"),
    hard: row("variation hard labels"),
    real: new Map(real),
  });
}

/** "+4.2 [+1.0, +7.4]": an improvement in points, with its interval where there is one. */
export function improvementText(improvement: Summary | null): string {
  if (improvement === null) return "–";
  const { mean, interval95 } = improvement;
  const gain = formatGain(mean);
  return interval95 === null ? gain : `${gain} [${interval95.map(formatGain).join(", ")}]`;
}

export function recoveryText(recovery: number | null): string | undefined {
  if (recovery === null) return undefined;
  return `Hard-label recovery: ${formatPercent(recovery)} points below the full data.`;
}
