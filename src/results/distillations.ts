import { FRACTIONS, meanOf, pairedDifference, type Summary, summarise } from "../statistics.js";
import { rowsOfMatrix, sumOfMatrices } from "./confusion.js";
import type { Row } from "./rows.js";

/** The row of one distillation, or of one seed of a baseline. */
export interface SeedRow {
  readonly seed: number;
  readonly row: Row;
}

/**
 * How far figures move: between the learners of a distillation, and between distillations of the
 * same settings with other seeds. Two settings differ where their difference is greater than both.
 */
export interface Spread {
  /** Over all learners of all distillations; its `std` is the ± between learners. */
  readonly learners: Summary;
  /** Over the means of the distillations; its `std` is the ± between distillations. */
  readonly distillations: Summary;
}

/** The row of a setting over its seeds. */
export interface RowOverSeeds extends Row {
  readonly spread: Spread;
}

const BETWEEN_LEARNERS =
  "± and intervals are between learners, and how far another distillation would move a figure is " +
  "not known.";

/** What figures can show that are all of the same distilled data. */
export const ONE_DISTILLATION_NOTE = `One distillation: ${BETWEEN_LEARNERS}`;

/**
 * What a comparison of settings can show, by how often they were distilled.
 *
 * @param counts distillations of each setting
 */
export function comparisonNote(counts: readonly number[]): string {
  const numSingle = counts.filter((count) => count === 1).length;
  if (numSingle === counts.length) return `One distillation each: ${BETWEEN_LEARNERS}`;
  const rule = "A difference that is no greater than the ± between distillations tells nothing.";
  return numSingle === 0 ? rule : `${rule} Where that is missing there is one distillation.`;
}

/** @param rows one per distillation of the setting, at least one */
export function spreadOf(rows: readonly Pick<Row, "accuracy" | "learners">[]): Spread {
  const learners = rows.flatMap((row) => [...row.learners.values()]);
  const means = rows.map(({ accuracy }) => accuracy.mean);
  return { learners: summarise(learners, FRACTIONS), distillations: summarise(means, FRACTIONS) };
}

/**
 * How much greater the accuracy of one setting is than that of another, over the learners and over
 * the distillations that have the same seeds in both.
 *
 * @returns null where no two learners share their seeds.
 */
export function spreadOfDifference(
  rows: readonly SeedRow[],
  others: readonly SeedRow[],
): Spread | null {
  const learners = pairedDifference(learnersOf(rows), learnersOf(others));
  const distillations = pairedDifference(meansOf(rows), meansOf(others));
  return learners === null || distillations === null ? null : { learners, distillations };
}

/** Means over the seeds, as of times and energy; what does not depend on the seed is the first's. */
export function rowOverSeeds(all: readonly [SeedRow, ...SeedRow[]]): RowOverSeeds {
  const seeds = distinct(all);
  const rows = seeds.map(({ row }) => row);
  const spread = spreadOf(rows);
  const times = rows.flatMap(({ trainTimeS }) => trainTimeS ?? []);
  const joules = rows.flatMap((row) => row.joules ?? []);
  const rates = new Set(rows.map(({ chosenLr }) => chosenLr));
  const matrices = rows.map(({ confusion }) => confusion?.flat() ?? []);
  return {
    ...seeds[0].row,
    spread,
    accuracy: spread.learners,
    learners: learnersOf(seeds),
    macroF1: meanOf(rows.map(({ macroF1 }) => macroF1)),
    loss: meanOf(rows.map(({ loss }) => loss)),
    chosenLr: rates.size === 1 ? seeds[0].row.chosenLr : null,
    joules: joules.length < rows.length ? null : meanOf(joules),
    trainTimeS: times.length === 0 ? null : meanOf(times),
    confusion: rowsOfMatrix(sumOfMatrices(matrices) ?? []),
  };
}

/**
 * Once each: a baseline whose learners are the same for several seeds, as those on full data are,
 * was computed for the first of them, and says nothing about a spread between them.
 */
function distinct([first, ...others]: readonly [SeedRow, ...SeedRow[]]): [SeedRow, ...SeedRow[]] {
  const isNew = (seed: SeedRow, at: number) =>
    ![first, ...others.slice(0, at)].some((earlier) => isSameBaseline(earlier.row, seed.row));
  return [first, ...others.filter(isNew)];
}

function isSameBaseline(one: Row, other: Row): boolean {
  const areEqual = [...one.learners].every(([seed, value]) => other.learners.get(seed) === value);
  return one.kind === "baseline" && areEqual && one.learners.size === other.learners.size;
}

/** Accuracy by the seed of the distillation and that of the learner. */
function learnersOf(seeds: readonly SeedRow[]): Map<string, number> {
  return new Map(
    seeds.flatMap(({ seed, row }) =>
      [...row.learners].map(([init, accuracy]) => [`${seed}/${init}`, accuracy] as const),
    ),
  );
}

function meansOf(seeds: readonly SeedRow[]): Map<string, number> {
  return new Map(seeds.map(({ seed, row }) => [String(seed), row.accuracy.mean]));
}
