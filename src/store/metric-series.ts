import type { SeriesRange } from "../experiment/domain/storage-ports.js";
import type { MetricSeries } from "../generated/stillhouse/v1/service.js";
import { BLOCK_STEPS } from "./metric-blocks.js";
import type { SeriesRow } from "./metric-summary.js";
import { outlineWithin, pointsWithin, wholeBlocks } from "./series-outline.js";
import type { SqlDatabase } from "./sql-database.js";

/** The table of the series, each with its summary. */
export const METRIC_SERIES = {
  /** @param names empty for all; the order is that of the tasks, then of the names */
  of(file: SqlDatabase, taskIds: readonly string[], names: readonly string[]): SeriesRow[] {
    const rows = file.all<SeriesRow>(
      `SELECT * FROM metric_series WHERE task_id IN (SELECT value FROM json_each(?)) ORDER BY name`,
      JSON.stringify(taskIds),
    );
    const wanted = names.length === 0 ? rows : rows.filter(({ name }) => names.includes(name));
    const place = new Map(taskIds.map((id, at) => [id, at]));
    return wanted.sort((a, b) => (place.get(a.task_id) ?? 0) - (place.get(b.task_id) ?? 0));
  },

  findOrCreate(file: SqlDatabase, taskId: string, name: string): SeriesRow {
    const find = () =>
      file.get<SeriesRow>(
        "SELECT * FROM metric_series WHERE task_id = ? AND name = ?",
        taskId,
        name,
      );
    const found = find();
    if (found) return found;
    file.run("INSERT INTO metric_series (task_id, name) VALUES (?, ?)", taskId, name);
    return find() as SeriesRow;
  },
};

/** The points of a series within a range of steps, or their outline if there are too many. */
export function readSeries(file: SqlDatabase, row: SeriesRow, range: SeriesRange): MetricSeries {
  const { id, task_id: taskId, name } = row;
  const { firstStep, lastStep, maxPoints } = range;
  const isWhole = firstStep === 0 && lastStep >= row.greatest_step;
  const count = isWhole ? row.num_points : countWithin(file, row, firstStep, lastStep);
  const points =
    count <= maxPoints
      ? pointsWithin(file, id, { first: firstStep, last: lastStep })
      : outlineWithin(
          file,
          id,
          stepsWithin(file, id, firstStep, lastStep),
          row.greatest_step,
          maxPoints,
        );
  return {
    taskId,
    name,
    steps: points.map(({ step }) => BigInt(step)),
    values: points.map(({ value }) => value ?? Number.NaN),
    numPoints: BigInt(count),
    descriptor: undefined,
  };
}

function countWithin(
  file: SqlDatabase,
  { id, greatest_step }: SeriesRow,
  first: number,
  last: number,
): number {
  const whole = wholeBlocks({ first, last }, greatest_step);
  const end = whole.first + whole.length;
  if (whole.length === 0) return countPoints(file, id, first, last);
  return (
    countPoints(file, id, first, whole.first * BLOCK_STEPS - 1) +
    countPoints(file, id, end * BLOCK_STEPS, last) +
    (file.get<{ count: number }>(
      `SELECT coalesce(sum(num_points), 0) AS count FROM metric_blocks
       WHERE series = ? AND block BETWEEN ? AND ?`,
      ...[id, whole.first, end - 1],
    )?.count ?? 0)
  );
}

function countPoints(file: SqlDatabase, series: number, first: number, last: number): number {
  const sql =
    "SELECT count(*) AS count FROM metric_points WHERE series = ? AND step BETWEEN ? AND ?";
  return file.get<{ count: number }>(sql, series, first, last)?.count ?? 0;
}

/** The first and the last existing step, by two queries that need no count. */
function stepsWithin(
  file: SqlDatabase,
  series: number,
  first: number,
  last: number,
): { first: number; last: number } {
  const [least = first, greatest = last] = ["min", "max"].map(
    (end) =>
      file.get<{ step: number }>(
        `SELECT ${end}(step) AS step FROM metric_points WHERE series = ? AND step BETWEEN ? AND ?`,
        ...[series, first, last],
      )?.step,
  );
  return { first: least, last: greatest };
}
