import { meanOf, pairedDifference, type Summary, summarise } from "../statistics.js";
import { STUDY_TABLES, type StudyFigure, type StudyRow, type StudyTable } from "../study/tables.js";
import type { Outcome } from "./group-runner.js";
import { type Row, resultOf } from "./result.js";

/** One distillation of a row, or one training on full data. */
export interface SeedRow {
  readonly seed: number;
  readonly experimentId: string;
  readonly row: Row;
}

/** A row of a study's table, as it was reproduced. */
export interface ReproducedRow {
  /** One entry a distillation seed. */
  readonly seeds: readonly SeedRow[];
  /** Over all learners of all seeds. */
  readonly accuracy: Summary;
  /** Standard deviation of the means of the seeds; null with one seed. */
  readonly stdBetweenSeeds: number | null;
  /**
   * How much better than the row of distilled data above, over learners with the same seeds; null
   * where there is none to compare with.
   */
  readonly gain: Summary | null;
  readonly figure: StudyFigure;
}

export interface ReproducedTable {
  readonly id: string;
  readonly title: string;
  readonly rows: readonly ReproducedRow[];
}

/**
 * The tables with these ids, filled in.
 *
 * @param outcomesOf outcomes of a row, one a distillation seed.
 */
export function reproducedTables(
  ids: readonly string[],
  outcomesOf: (row: StudyRow) => readonly Outcome[],
): ReproducedTable[] {
  return STUDY_TABLES.filter(({ id }) => ids.includes(id)).map((table) => ({
    id: table.id,
    title: table.title,
    rows: rowsOf(table, outcomesOf),
  }));
}

function rowsOf(
  { rows }: StudyTable,
  outcomesOf: (row: StudyRow) => readonly Outcome[],
): ReproducedRow[] {
  const result: ReproducedRow[] = [];
  let above: ReadonlyMap<string, number> | undefined;
  for (const studyRow of rows) {
    const wanted = studyRow.kind === "full" ? "full" : "distilled";
    const seeds = outcomesOf(studyRow).map(({ experiment }): SeedRow => {
      const row = resultOf(experiment).rows.find(({ id }) => id === wanted);
      if (row === undefined) throw new Error(`experiment ${experiment.id} has no row ${wanted}`);
      return { seed: experiment.spec?.seed ?? 0, experimentId: experiment.id, row };
    });
    const learners = learnersOf(seeds);
    const means = seeds.map(({ row }) => row.accuracy.mean);
    result.push({
      seeds,
      accuracy: summarise([...learners.values()]),
      stdBetweenSeeds: means.length > 1 ? stdOf(means) : null,
      gain: wanted === "distilled" && above ? pairedDifference(learners, above) : null,
      figure: studyRow.figure,
    });
    if (wanted === "distilled") above = learners;
  }
  return result;
}

/** Accuracy by distillation seed and init seed. */
function learnersOf(seeds: readonly SeedRow[]): Map<string, number> {
  return new Map(
    seeds.flatMap(({ seed, row }) =>
      [...row.learners].map(([init, accuracy]) => [`${seed}/${init}`, accuracy] as const),
    ),
  );
}

function stdOf(values: readonly number[]): number {
  const mean = meanOf(values);
  return Math.sqrt(meanOf(values.map((value) => (value - mean) ** 2)));
}
