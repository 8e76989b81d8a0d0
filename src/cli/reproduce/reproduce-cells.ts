import type { ExperimentSpec } from "../../generated/stillhouse/v1/spec.js";
import { NO_BASELINES } from "../../settings/baseline-fields.js";
import type { FieldValue } from "../../settings/field-path.js";
import { STUDY_TABLES, type StudyRow } from "../../study/tables.js";
import { draftOf } from "../experiment/experiment-arguments.js";
import type { Member } from "../group/group-runner.js";
import type { ReproduceRun } from "./reproduce-arguments.js";
import { labelOf } from "./study-table.js";

/** An experiment of the group, and which row of the tables it is. */
export interface Cell extends Member {
  readonly key: string;
}

/** One experiment per distinct row and seed; tables share their rows. */
export function cellsOf(
  { tables, seeds, given }: Pick<ReproduceRun, "tables" | "seeds" | "given">,
  dataDir: string | undefined,
): Cell[] {
  const rows = new Map<string, StudyRow>();
  for (const table of STUDY_TABLES.filter(({ id }) => tables.includes(id))) {
    for (const row of table.rows) rows.set(keyOf(row), row);
  }
  return seeds.flatMap((seed) =>
    [...rows].map(([key, row]): Cell => {
      const settings = new Map<string, FieldValue>([
        ...NO_BASELINES,
        ["baseline.full_inits", FULL_LEARNERS],
        ...(row.kind === "full" ? [] : row.settings),
        ...given,
        ...(row.kind === "full" ? FULL_ALONE : []),
        ["seed", seed],
      ]);
      const draft = draftOf(settings, dataDir);
      return { key, label: memberLabel(row, draft, seed), draft };
    }),
  );
}

/** What the rows are held against is one mean, of which the spread is known. */
const FULL_LEARNERS = 3;

/** The tables have no baseline but the full data, whose row is an experiment of its own. */
const FULL_ALONE: readonly [string, FieldValue][] = [
  ["evaluation.inits", 0],
  ["baseline.full", true],
];

/** The same for rows with the same settings. */
export function keyOf(row: StudyRow): string {
  return row.kind === "full" ? "full" : JSON.stringify([...row.settings]);
}

function memberLabel(row: StudyRow, draft: ExperimentSpec, seed: number): string {
  return `${row.kind === "full" ? "Full data" : labelOf(draft)}, seed ${seed}`;
}
