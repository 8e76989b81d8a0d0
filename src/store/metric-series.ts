import type { SeriesRange } from "../experiment/ports.js";
import type { MetricSeries } from "../generated/stillhouse/v1/service.js";
import type { SqlFile } from "./database.js";
import type { SeriesRow } from "./metric-summary.js";

interface Point {
  step: number;
  /** NULL for what is no number. */
  value: number | null;
}

/** The table of the series, each with its summary. */
export const METRIC_SERIES = {
  /** @param names empty for all; the order is that of the tasks, then of the names */
  of(file: SqlFile, taskIds: readonly string[], names: readonly string[]): SeriesRow[] {
    const rows = file.all<SeriesRow>(
      `SELECT * FROM metric_series WHERE task_id IN (SELECT value FROM json_each(?)) ORDER BY name`,
      JSON.stringify(taskIds),
    );
    const wanted = names.length === 0 ? rows : rows.filter(({ name }) => names.includes(name));
    const place = new Map(taskIds.map((id, at) => [id, at]));
    return wanted.sort((a, b) => (place.get(a.task_id) ?? 0) - (place.get(b.task_id) ?? 0));
  },

  findOrCreate(file: SqlFile, taskId: string, name: string): SeriesRow {
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

/**
 * The points of a series within a range of steps. Where there are too many, the range is cut into
 * parts of equal width, of each the least and the greatest value are taken, and of the whole the
 * first and the last: what a drawing of all points would show.
 */
export function readSeries(file: SqlFile, row: SeriesRow, range: SeriesRange): MetricSeries {
  const { id, task_id: taskId, name } = row;
  const { firstStep, lastStep, maxPoints } = range;
  const isWhole = firstStep === 0 && lastStep >= row.greatest_step;
  const count = isWhole ? row.num_points : countBetween(file, id, firstStep, lastStep);
  const points =
    count <= maxPoints
      ? pointsBetween(file, id, firstStep, lastStep)
      : thinned(file, id, stepsWithin(file, id, firstStep, lastStep), maxPoints);
  return {
    taskId,
    name,
    steps: points.map(({ step }) => BigInt(step)),
    values: points.map(({ value }) => value ?? Number.NaN),
    numPoints: BigInt(count),
  };
}

function pointsBetween(file: SqlFile, series: number, first: number, last: number): Point[] {
  return file.all<Point>(
    `SELECT step, value FROM metric_points WHERE series = ? AND step BETWEEN ? AND ?
     ORDER BY step`,
    series,
    first,
    last,
  );
}

function countBetween(file: SqlFile, series: number, first: number, last: number): number {
  const sql =
    "SELECT count(*) AS count FROM metric_points WHERE series = ? AND step BETWEEN ? AND ?";
  return file.get<{ count: number }>(sql, series, first, last)?.count ?? 0;
}

/** The first and the last step that there are; two questions, which SQLite need not count for. */
function stepsWithin(
  file: SqlFile,
  series: number,
  first: number,
  last: number,
): [first: number, last: number] {
  const [least = first, greatest = last] = ["min", "max"].map(
    (end) =>
      file.get<{ step: number }>(
        `SELECT ${end}(step) AS step FROM metric_points WHERE series = ? AND step BETWEEN ? AND ?`,
        ...[series, first, last],
      )?.step,
  );
  return [least, greatest];
}

function thinned(
  file: SqlFile,
  series: number,
  [first, last]: readonly [first: number, last: number],
  maxPoints: number,
): Point[] {
  const ends = [first, last].flatMap((step) => pointsBetween(file, series, step, step));
  const numParts = Math.floor((maxPoints - ends.length) / 2);
  const inner = numParts === 0 ? [] : extremes(file, series, first + 1, last - 1, numParts);
  const byStep = new Map([...ends, ...inner].map((point) => [point.step, point]));
  return [...byStep.values()].sort((a, b) => a.step - b.step);
}

/**
 * SQLite gives the step of the row that has the least or the greatest value. Numbers are bound as
 * floating point, which would not be divided to whole parts.
 */
function extremes(
  file: SqlFile,
  series: number,
  first: number,
  last: number,
  numParts: number,
): Point[] {
  const width = Math.ceil((last - first + 1) / numParts);
  return ["min", "max"].flatMap((aggregate) =>
    file.all<Point>(
      `SELECT step, ${aggregate}(value) AS value FROM metric_points
       WHERE series = ? AND step BETWEEN ? AND ? GROUP BY (step - CAST(? AS INTEGER)) / CAST(? AS INTEGER)`,
      ...[series, first, last, first, width],
    ),
  );
}
