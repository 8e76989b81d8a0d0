import { pairedDifference, type Summary } from "../statistics.js";

/** Weight of the improvement over random samples; the rest is that of the hard-label recovery. */
const WEIGHT = 0.5;

/** The variation of distilled data with one-hot labels. */
export const HARD_LABELS = "hard-labels";

/** The variation of a baseline's real samples with the labels of the distilled data. */
export function ownLabelsName(baseline: string): string {
  return `${baseline}-own-labels`;
}

/** Accuracy of learners, and that of each by its init seed; fractions. */
export interface ScoredRow {
  readonly accuracy: { readonly mean: number };
  readonly learners: ReadonlyMap<string, number>;
}

/** Distilled data beside as many real samples, chosen in one way. */
export interface Comparison {
  /** The baseline: random, herding or kcenter. */
  readonly id: string;
  /** Improvement over the real samples, both with one-hot labels. */
  readonly iorHard: Summary | null;
  /** The same, both with the labels of the distilled data. */
  readonly iorOwn: Summary | null;
  /**
   * Label-robust score, 0 to 1, from the improvement with own labels if measured, else with hard
   * ones.
   */
  readonly labelRobustScore: number | null;
}

/** The relative scores of DD-Ranking (arXiv 2505.13300), as fractions. */
export interface RelativeScores {
  /** Accuracy lost by hard labels against the full data; null where either is not measured. */
  readonly hardLabelRecovery: number | null;
  readonly comparisons: readonly Comparison[];
}

/** What the scores are computed from; absent where it was not measured. */
export interface ScoreRows {
  readonly full: ScoredRow | undefined;
  /** The distilled data as it is. */
  readonly own: ScoredRow | undefined;
  /** With one-hot labels. */
  readonly hard: ScoredRow | undefined;
  /**
   * Real samples by the name of their baseline: with one-hot labels, and with those of the data.
   */
  readonly real: ReadonlyMap<string, { hard: ScoredRow | undefined; own: ScoredRow | undefined }>;
}

export function relativeScores({ full, own, hard, real }: ScoreRows): RelativeScores {
  const recovery = full && hard ? full.accuracy.mean - hard.accuracy.mean : null;
  const comparisons = [...real].map(([id, reference]): Comparison => {
    const iorHard = improvement(hard, reference.hard);
    const iorOwn = improvement(own, reference.own);
    const ior = iorOwn ?? iorHard;
    const isKnown = ior !== null && recovery !== null;
    const labelRobustScore = isKnown ? labelRobust(ior.mean, recovery) : null;
    return { id, iorHard, iorOwn, labelRobustScore };
  });
  return { hardLabelRecovery: recovery, comparisons };
}

/** @returns a number from 0 (worst) to 1. */
export function labelRobust(improvementOverRandom: number, hardLabelRecovery: number): number {
  const alpha = WEIGHT * improvementOverRandom - (1 - WEIGHT) * hardLabelRecovery;
  return (Math.exp(alpha) - Math.exp(-1)) / (Math.E - Math.exp(-1));
}

function improvement(row: ScoredRow | undefined, reference: ScoredRow | undefined): Summary | null {
  return row && reference ? pairedDifference(row.learners, reference.learners) : null;
}
