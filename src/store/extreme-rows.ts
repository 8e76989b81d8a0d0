import type { SqlDatabase } from "./sql-database.js";

export type Extreme = "min" | "max";

/** Where the steps and values are. */
export interface ExtremeOf {
  readonly table: string;
  readonly step: string;
  readonly value: string;
  readonly where: string;
  /** The group of a row; all are one group where it is absent. */
  readonly by?: string;
}

/**
 * A query for the least or the greatest value of each group and its step, as `step` and `value`: of
 * equal values the first one's, and NULL only where a group has nothing else. Ungrouped, it also
 * gives the number of rows as `count`.
 */
export function extremeRows({ dialect }: SqlDatabase, extreme: Extreme, of: ExtremeOf): string {
  return dialect === "sqlite" ? aggregated(extreme, of) : sorted(extreme, of);
}

/** SQLite takes the other columns of an aggregate from the row with the extreme value. */
function aggregated(extreme: Extreme, { table, step, value, where, by }: ExtremeOf): string {
  const columns = `${step} AS step, ${extreme}(${value}) AS value`;
  return by === undefined
    ? `SELECT ${columns}, count(*) AS count FROM ${table} WHERE ${where}`
    : `SELECT ${columns} FROM ${table} WHERE ${where} GROUP BY ${by}`;
}

function sorted(extreme: Extreme, { table, step, value, where, by }: ExtremeOf): string {
  const columns = `${step} AS step, ${value} AS value`;
  const order = `${value} IS NULL, ${value} ${extreme === "min" ? "ASC" : "DESC"}, ${step}`;
  return by === undefined
    ? `SELECT ${columns}, count(*) OVER () AS count FROM ${table} WHERE ${where}
       ORDER BY ${order} LIMIT 1`
    : `SELECT DISTINCT ON (${by}) ${columns} FROM ${table} WHERE ${where} ORDER BY ${by}, ${order}`;
}
