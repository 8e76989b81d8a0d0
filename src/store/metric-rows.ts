import type { MetricPoint } from "../generated/stillhouse/v1/experiment.js";
import type { MetricSummaryRow } from "./metric-summary.js";
import type { SqlDatabase, SqlValue } from "./sql-database.js";

export interface PointRow {
  readonly series: number;
  readonly attempt: number;
  readonly point: MetricPoint;
}

/** Rows per statement, since several are written in about the time of one. */
const ROWS_PER_STATEMENT = [64, 8, 1];

const POINT_COLUMNS = ["series", "step", "attempt", "sequence", "value", "time_ms"];
const SUMMARY_COLUMNS = [
  ...["num_points", "greatest_step", "last_step", "last_value"],
  ...["min_step", "min_value", "max_step", "max_value"],
];

/** Inserts points, none of which may exist already. */
export function insertPoints(file: SqlDatabase, points: readonly PointRow[]): void {
  insert(file, "metric_points", POINT_COLUMNS, points.map(valuesOf));
}

/** Writes the summaries of existing series. */
export function storeSummaries(file: SqlDatabase, summaries: readonly MetricSummaryRow[]): void {
  const columns = ["id", "task_id", "name", ...SUMMARY_COLUMNS];
  const changes = SUMMARY_COLUMNS.map((column) => `${column} = excluded.${column}`).join(", ");
  const rows = summaries.map((summary) => summary.columns());
  insert(file, "metric_series", columns, rows, `ON CONFLICT (id) DO UPDATE SET ${changes}`);
}

function insert(
  file: SqlDatabase,
  table: string,
  columns: readonly string[],
  rows: readonly SqlValue[][],
  onConflict = "",
): void {
  let at = 0;
  const places = `(${columns.map(() => "?").join(", ")})`;
  for (const count of ROWS_PER_STATEMENT) {
    const values = Array(count).fill(places).join(", ");
    const sql = `INSERT INTO ${table} (${columns.join(", ")}) VALUES ${values} ${onConflict}`;
    for (; at + count <= rows.length; at += count) {
      file.run(sql, ...rows.slice(at, at + count).flat());
    }
  }
}

function valuesOf({ series, attempt, point }: PointRow): SqlValue[] {
  const { step, sequence, value, time } = point;
  return [series, step, attempt, sequence, value, time?.getTime() ?? 0];
}
