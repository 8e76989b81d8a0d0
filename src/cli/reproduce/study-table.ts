import { internal } from "../../errors.js";
import { type Experiment, State } from "../../generated/stillhouse/v1/experiment.js";
import type { ExperimentSpec } from "../../generated/stillhouse/v1/spec.js";
import { rowsOfMatrix, sumOfMatrices } from "../../results/confusion.js";
import type { Row } from "../../results/rows.js";
import { distilledLabel, shortLabel } from "../../results/spec-labels.js";
import { FRACTIONS, meanOf, pairedDifference, type Summary, summarise } from "../../statistics.js";
import { STUDY_TABLES, type StudyFigure, type StudyRow } from "../../study/tables.js";
import { resultOf } from "../results/result.js";
import type { Outcome } from "../run/experiment-runner.js";

/** One distillation of a row, or one training on full data. */
export interface SeedRow {
  readonly seed: number;
  readonly experimentId: string;
  readonly row: Row;
}

/** A seed without a result: it has failed, or was stopped by a person. */
export interface FailedSeed {
  readonly seed: number;
  readonly experimentId: string;
  readonly reason: string;
  readonly isStopped: boolean;
}

/** How much better a row is than another one, over learners with the same seeds. */
export interface Difference {
  /** Name of the other row. */
  readonly to: string;
  /** Null where no two learners have the same seeds. */
  readonly gain: Summary | null;
}

/** The measured values of a row. */
export interface Measured {
  /** One entry per distillation seed. */
  readonly seeds: readonly [SeedRow, ...SeedRow[]];
  /** Over all learners of all seeds, as are the other means. */
  readonly accuracy: Summary;
  readonly macroF1: number;
  readonly loss: number;
  /** As in `Row`. */
  readonly confusion: number[][] | null;
  /** Seconds from the opened data to the trained learner; null where they were not measured. */
  readonly trainTimeS: number | null;
  /** Standard deviation of the means of the seeds; null with one seed. */
  readonly stdBetweenSeeds: number | null;
  /** To each row of distilled data above it, the nearest last. */
  readonly differences: readonly Difference[];
}

/** A row of a study's table, as it was reproduced. */
export interface ReproducedRow {
  readonly label: string;
  /** What distinguishes it from the others of its table, in a few words. */
  readonly name: string;
  readonly figure: StudyFigure;
  /** Absent where no seed has a result. */
  readonly measured: Measured | undefined;
  readonly failed: readonly FailedSeed[];
}

export interface ReproducedTable {
  readonly id: string;
  readonly title: string;
  readonly rows: readonly ReproducedRow[];
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
  outcomesOf: (row: StudyRow) => readonly Outcome[],
): ReproducedTable[] {
  return STUDY_TABLES.filter(({ id }) => ids.includes(id)).map(({ id, title, rows }) => {
    const experiments = rows.map((row) => outcomesOf(row).map(({ experiment }) => experiment));
    return {
      id,
      title,
      rows: rowsOf(rows, experiments),
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
  const above: { name: string; learners: ReadonlyMap<string, number> }[] = [];
  studyRows.forEach(({ kind, figure }, at) => {
    const found = experiments[at] ?? [];
    const spec = found[0]?.spec;
    const isFull = kind === "full";
    const label = isFull ? "Full data" : labelOf(spec);
    const name = isFull ? label : shortLabel(spec);
    const seeds = found.flatMap((experiment) => seedRow(experiment, kind));
    const learners = learnersOf(seeds);
    const differences = (isFull ? [] : above).map((other) => ({
      to: other.name,
      gain: pairedDifference(learners, other.learners),
    }));
    const measured = measuredOf(seeds, learners, differences);
    result.push({ label, name, figure, measured, failed: found.flatMap(failedSeed) });
    if (!isFull && measured) above.push({ name, learners });
  });
  return result;
}

/** Rows of one table may differ in their inner steps alone. */
export function labelOf(spec: ExperimentSpec | undefined): string {
  const steps = spec?.inner?.steps ?? 1;
  return `${distilledLabel(spec)}${steps === 1 ? "" : `, ${steps} steps`}`;
}

function seedRow(experiment: Experiment, kind: StudyRow["kind"]): SeedRow[] {
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
  [first, ...others]: readonly SeedRow[],
  learners: ReadonlyMap<string, number>,
  differences: readonly Difference[],
): Measured | undefined {
  if (first === undefined) return undefined;
  const seeds = [first, ...others] as const;
  const rows = seeds.map(({ row }) => row);
  const means = rows.map(({ accuracy }) => accuracy.mean);
  const times = rows.flatMap(({ trainTimeS }) => trainTimeS ?? []);
  return {
    seeds: [...seeds],
    accuracy: summarise([...learners.values()], FRACTIONS),
    macroF1: meanOf(rows.map(({ macroF1 }) => macroF1)),
    loss: meanOf(rows.map(({ loss }) => loss)),
    confusion: rowsOfMatrix(
      sumOfMatrices(rows.map(({ confusion }) => confusion?.flat() ?? [])) ?? [],
    ),
    trainTimeS: times.length === 0 ? null : meanOf(times),
    stdBetweenSeeds: means.length > 1 ? summarise(means).std : null,
    differences,
  };
}

/** Accuracy by distillation seed and init seed. */
function learnersOf(seeds: readonly SeedRow[]): Map<string, number> {
  return new Map(
    seeds.flatMap(({ seed, row }) =>
      [...row.learners].map(([init, accuracy]) => [`${seed}/${init}`, accuracy] as const),
    ),
  );
}
