import { baselineOfId } from "../../baselines.js";
import { internal } from "../../errors.js";
import { type Experiment, State } from "../../generated/stillhouse/v1/experiment.js";
import type { ExperimentSpec } from "../../generated/stillhouse/v1/spec.js";
import {
  type RowOverSeeds,
  rowOverSeeds,
  type SeedRow,
  type Spread,
  spreadOfDifference,
} from "../../results/distillations.js";
import { distilledLabel, shortLabel, sizeWords } from "../../results/spec-labels.js";
import { TABLES } from "../../study/systems.js";
import type { Published, StudyFigure, StudyRow, StudyTable } from "../../study/tables.js";
import { resultOf } from "../results/result.js";
import type { Outcome } from "../run/experiment-runner.js";

/** One distillation of a row, or one training on full data. */
export interface StudySeedRow extends SeedRow {
  readonly experimentId: string;
}

/** A seed without a result: it has failed, or was stopped by a person. */
export interface FailedSeed {
  readonly seed: number;
  readonly experimentId: string;
  readonly reason: string;
  readonly isStopped: boolean;
}

/** A row beside another one. */
export interface Difference {
  /** Name of the other row. */
  readonly to: string;
  /** How much greater its accuracy is; null where no two learners have the same seeds. */
  readonly spread: Spread | null;
}

/** The measured values of a row. */
export interface Measured {
  /** One entry per distillation seed. */
  readonly seeds: readonly [StudySeedRow, ...StudySeedRow[]];
  /** Over all of them. */
  readonly row: RowOverSeeds;
  /** To each row of distilled data above it, the nearest last. */
  readonly differences: readonly Difference[];
}

/** A row of a study's table, as it was reproduced. */
export interface ReproducedRow {
  readonly label: string;
  /** What distinguishes it from the others of its table, in a few words. */
  readonly name: string;
  /** The published one; absent where none is known for certain. */
  readonly figure: StudyFigure | undefined;
  /** As its work has it. */
  readonly row: StudyRow;
  /** Of the first seed, resolved; absent for a baseline. */
  readonly spec: ExperimentSpec | undefined;
  /** Absent where no seed has a result. */
  readonly measured: Measured | undefined;
  readonly failed: readonly FailedSeed[];
}

export interface ReproducedTable {
  readonly id: string;
  readonly title: string;
  readonly rows: readonly ReproducedRow[];
  /** Absent for tables that are no other work. */
  readonly published: Published | undefined;
  /** Time in which workers computed its rows, also those that other tables have as well. */
  readonly computingS: number;
}

/**
 * The tables with these ids, filled in.
 *
 * @param outcomesOf outcomes of a row, one per distillation seed.
 */
export function reproducedTables(
  ids: readonly string[],
  outcomesOf: (table: StudyTable, row: StudyRow) => readonly Outcome[],
): ReproducedTable[] {
  return TABLES.filter(({ id }) => ids.includes(id)).map((table) => {
    const { id, title, rows, published } = table;
    const experiments = rows.map((row) =>
      outcomesOf(table, row).map(({ experiment }) => experiment),
    );
    return {
      id,
      title,
      rows: rowsOf(rows, experiments),
      published,
      computingS: computingS(experiments.flat()),
    };
  });
}

/** Time in which workers computed what these experiments show, each task once. */
export function computingS(experiments: readonly Experiment[]): number {
  const tasks = experiments.flatMap((experiment) => experiment.tasks);
  const seconds = new Map(
    tasks.map(({ id, cacheKey, result }) => [cacheKey || id, result?.wallTimeS ?? 0]),
  );
  return [...seconds.values()].reduce((sum, value) => sum + value, 0);
}

function rowsOf(
  studyRows: readonly StudyRow[],
  experiments: readonly (readonly Experiment[])[],
): ReproducedRow[] {
  const result: ReproducedRow[] = [];
  const above: { name: string; seeds: readonly SeedRow[] }[] = [];
  studyRows.forEach((row, at) => {
    const { kind, figure } = row;
    const found = experiments[at] ?? [];
    const spec = found[0]?.spec;
    const isBaseline = kind !== "distilled";
    const label = isBaseline ? (baselineOfId(kind)?.label ?? kind) : labelOf(spec);
    const name = isBaseline ? label : shortLabel(spec);
    const seeds = found.flatMap((experiment) => seedRow(experiment, kind));
    const differences = (isBaseline ? [] : above).map((other) => ({
      to: other.name,
      spread: spreadOfDifference(seeds, other.seeds),
    }));
    const measured = measuredOf(seeds, differences);
    const failed = found.flatMap(failedSeed);
    const own = isBaseline ? undefined : spec;
    result.push({ label, name, figure, row, spec: own, measured, failed });
    if (!isBaseline && measured) above.push({ name, seeds });
  });
  return result;
}

/** Rows of one table may differ in their samples or steps alone. */
export function labelOf(spec: ExperimentSpec | undefined): string {
  return [distilledLabel(spec), ...sizeWords(spec)].join(", ");
}

function seedRow(experiment: Experiment, kind: StudyRow["kind"]): StudySeedRow[] {
  const { id, spec, state } = experiment;
  if (state !== State.SUCCEEDED) return [];
  const row = resultOf(experiment).rows.find((candidate) => candidate.id === kind);
  if (row === undefined)
    throw internal(`the server returned no result of ${kind} for experiment ${id}`);
  return [{ seed: spec?.seed ?? 0, experimentId: id, row }];
}

/** Whether all of them were stopped, and none has failed. */
export function areStopped(seeds: readonly FailedSeed[]): boolean {
  return seeds.every(({ isStopped }) => isStopped);
}

function failedSeed({ id, spec, state, failure }: Experiment): FailedSeed[] {
  if (state === State.SUCCEEDED) return [];
  const reason = failure?.message ?? "it was stopped";
  return [{ seed: spec?.seed ?? 0, experimentId: id, reason, isStopped: failure === undefined }];
}

function measuredOf(
  [first, ...others]: readonly StudySeedRow[],
  differences: readonly Difference[],
): Measured | undefined {
  if (first === undefined) return undefined;
  const seeds = [first, ...others] as const;
  return { seeds, row: rowOverSeeds(seeds), differences };
}
