import type { MetricPoint } from "../generated/stillhouse/v1/experiment.js";
import type { SqlFile, SqlValue } from "./database.js";

export interface PointRow {
  readonly series: number;
  readonly attempt: number;
  readonly point: MetricPoint;
}

/** Rows of one statement: several are inserted in about the time of one. */
const ROWS_A_STATEMENT = [64, 8, 1];

/** Inserts points of which none is there. */
export function insertRows(file: SqlFile, rows: readonly PointRow[]): void {
  let at = 0;
  for (const count of ROWS_A_STATEMENT) {
    for (; at + count <= rows.length; at += count) {
      file.run(statement(count), ...rows.slice(at, at + count).flatMap(valuesOf));
    }
  }
}

function statement(count: number): string {
  const rows = Array(count).fill("(?, ?, ?, ?, ?, ?)").join(", ");
  return `INSERT INTO metric_points (series, step, attempt, sequence, value, time_ms) VALUES ${rows}`;
}

function valuesOf({ series, attempt, point }: PointRow): SqlValue[] {
  const { step, sequence, value, time } = point;
  return [series, step, attempt, sequence, value, time?.getTime() ?? 0];
}
