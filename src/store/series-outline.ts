import { type Extreme, extremeRows } from "./extreme-rows.js";
import { BLOCK_STEPS, blockOf } from "./metric-blocks.js";
import type { SqlDatabase } from "./sql-database.js";

/** A value of null is NaN. */
export interface Point {
  readonly step: number;
  readonly value: number | null;
}

interface Steps {
  readonly first: number;
  readonly last: number;
}

/** Each part gives its least and its greatest value. */
const POINTS_PER_PART = 2;
/** The parts before the first whole block and after the last one. */
const NUM_EDGES = 2;
const EXTREMES: readonly Extreme[] = ["min", "max"];

/** The points of a series within a range of steps, by step. */
export function pointsWithin(file: SqlDatabase, series: number, { first, last }: Steps): Point[] {
  return file.all<Point>(
    `SELECT step, value FROM metric_points WHERE series = ? AND step BETWEEN ? AND ?
     ORDER BY step`,
    ...[series, first, last],
  );
}

/**
 * At most `maxPoints` points of a range, by step: the first and the last one, and the least and the
 * greatest value of each of the parts of about equal width between them. A drawing of all points
 * would look the same.
 *
 * @param steps the first and the last existing step in the range
 * @param greatestStep of the whole series
 */
export function outlineWithin(
  file: SqlDatabase,
  series: number,
  steps: Steps,
  greatestStep: number,
  maxPoints: number,
): Point[] {
  const { first, last } = steps;
  const ends = [first, last].flatMap((step) =>
    pointsWithin(file, series, { first: step, last: step }),
  );
  const inner = { first: first + 1, last: last - 1 };
  const numParts = Math.floor((maxPoints - ends.length) / POINTS_PER_PART);
  const whole = wholeBlocks(inner, greatestStep);
  const blocksPerPart = Math.ceil(whole.length / Math.max(1, numParts - NUM_EDGES));
  // Parts that are narrower than two blocks are read point by point.
  const points =
    numParts > NUM_EDGES && blocksPerPart >= 2
      ? blockExtremes(file, series, inner, whole, blocksPerPart)
      : pointExtremes(file, series, inner, numParts);
  const byStep = new Map([...ends, ...points].map((point) => [point.step, point]));
  return [...byStep.values()].sort((a, b) => a.step - b.step);
}

interface Blocks {
  readonly first: number;
  readonly length: number;
}

/** The full blocks that are completely within a range. */
export function wholeBlocks({ first, last }: Steps, greatestStep: number): Blocks {
  const firstBlock = Math.ceil(first / BLOCK_STEPS);
  const end = Math.min(blockOf(last + 1), blockOf(greatestStep));
  return { first: firstBlock, length: Math.max(0, end - firstBlock) };
}

function blockExtremes(
  file: SqlDatabase,
  series: number,
  { first, last }: Steps,
  blocks: Blocks,
  blocksPerPart: number,
): Point[] {
  const end = blocks.first + blocks.length;
  const between = EXTREMES.flatMap((extreme) => {
    const [step, value] = [`${extreme}_step`, `${extreme}_value`];
    return file.all<Point>(
      extremeRows(file, extreme, { table: "metric_blocks", step, value, ...partsOf("block") }),
      ...[series, blocks.first, end - 1, blocks.first, blocksPerPart],
    );
  });
  const edges = [
    { first, last: blocks.first * BLOCK_STEPS - 1 },
    { first: end * BLOCK_STEPS, last },
  ];
  return [...between, ...edges.flatMap((edge) => pointExtremes(file, series, edge, 1))];
}

function pointExtremes(
  file: SqlDatabase,
  series: number,
  { first, last }: Steps,
  numParts: number,
): Point[] {
  if (numParts === 0 || last < first) return [];
  const width = Math.ceil((last - first + 1) / numParts);
  const points = { table: "metric_points", step: "step", value: "value", ...partsOf("step") };
  return EXTREMES.flatMap((extreme) =>
    file.all<Point>(extremeRows(file, extreme, points), series, first, last, first, width),
  );
}

/**
 * A part of a series by a column: its series, first and last, then the first and the width of parts.
 * The casts are needed because SQLite binds numbers as floating point, which has no integer division.
 */
function partsOf(column: string): { where: string; by: string } {
  return {
    where: `series = ?1 AND ${column} BETWEEN ?2 AND ?3`,
    by: `(${column} - CAST(?4 AS BIGINT)) / CAST(?5 AS BIGINT)`,
  };
}
