import type { Row } from "../../results/rows.js";
import { pairedDifference, type Summary } from "../../statistics.js";
import { formatGainRange, formatMeanStd } from "../../text/format.js";
import { rowDocument, summaryDocument } from "../results/result-document.js";
import { Table } from "../terminal/table.js";

/** A row of the claim beside what learners with the same seeds reach here. */
export interface VerifiedRow {
  readonly claimed: Row;
  readonly measured: Row;
  /** Measured less claimed, over the learners with the same seeds; fractions. */
  readonly difference: Summary;
  /** Learners with exactly the same accuracy. */
  readonly numEqual: number;
  readonly isConfirmed: boolean;
}

/**
 * Compares the learners with the same seeds.
 *
 * @param tolerance how far the means may lie apart, as a fraction
 * @returns undefined where no learner is in both
 */
export function verifiedRow(
  claimed: Row,
  measured: Row,
  tolerance: number,
): VerifiedRow | undefined {
  const difference = pairedDifference(measured.learners, claimed.learners);
  if (difference === null) return undefined;
  const same = [...measured.learners].filter(
    ([seed, accuracy]) => claimed.learners.get(seed) === accuracy,
  );
  const isConfirmed = Math.abs(difference.mean) <= tolerance;
  return { claimed, measured, difference, numEqual: same.length, isConfirmed };
}

/** The rows as a person reads them. */
export function verificationTable(rows: readonly VerifiedRow[]): string {
  const table = new Table({
    head: ["data", "claimed (%)", "here (%)", "difference", "learners", "equal"],
    colAligns: ["left", "right", "right", "right", "right", "right"],
    style: { head: [], border: [] },
  });
  for (const { claimed, measured, difference, numEqual } of rows) {
    table.push([
      claimed.label,
      formatMeanStd(claimed.accuracy.mean, claimed.accuracy.std),
      formatMeanStd(measured.accuracy.mean, measured.accuracy.std),
      formatGainRange(difference),
      String(difference.n),
      String(numEqual),
    ]);
  }
  return table.toString();
}

/** A row in the document of `--json`. */
export function verifiedDocument(row: VerifiedRow): object {
  return {
    id: row.claimed.id,
    claimed: rowDocument(row.claimed),
    measured: rowDocument(row.measured),
    difference: summaryDocument(row.difference),
    equal_learners: row.numEqual,
    confirmed: row.isConfirmed,
  };
}
