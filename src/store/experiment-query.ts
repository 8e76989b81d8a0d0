import { type PageKey, pageKeyOf, pageToken } from "../experiment/domain/page-token.js";
import type { ExperimentQuery } from "../experiment/domain/storage-ports.js";
import { ExperimentOrder } from "../generated/stillhouse/v1/service.js";
import type { SqlValue } from "./sql-database.js";

/** Columns by which a list is ordered. */
interface OrderedRow {
  number: number;
  accuracy: number;
}

interface Ordering {
  readonly orderBy: string;
  /** SQL condition for the rows after a key. */
  readonly after: string;
  readonly keyOf: (row: OrderedRow) => PageKey;
}

const NEWEST_FIRST: Ordering = {
  orderBy: "number DESC",
  after: "number < ?",
  keyOf: ({ number }) => [number],
};
const OLDEST_FIRST: Ordering = {
  orderBy: "number",
  after: "number > ?",
  keyOf: ({ number }) => [number],
};
const MOST_ACCURATE_FIRST: Ordering = {
  orderBy: "accuracy DESC, number DESC",
  after: "(accuracy, number) < (?, ?)",
  keyOf: ({ accuracy, number }) => [accuracy, number],
};

/** The columns that are read; the others are only for searching. */
export const EXPERIMENT_COLUMNS =
  "number, id, cancel_requested, owner, priority, sweep_id, message";

/** The number of bytes of an experiment of a page and its tasks. */
const BYTES = `(
    SELECT length(message) FROM experiments WHERE experiments.number = page.number
  ) + (
    SELECT coalesce(sum(length(tasks.message)), 0) FROM tasks WHERE experiment_id = page.id
  )`;

/** A page of experiments as SQL. */
export interface PageStatement {
  readonly sql: string;
  readonly values: readonly SqlValue[];
  /** The token for the page after one that ends with this row. */
  readonly tokenAfter: (row: OrderedRow) => string;
}

/** Asks for one entry more than a page has, to know whether another page follows. */
export function pageStatement(query: ExperimentQuery): PageStatement {
  const { filter, order } = query;
  const ordering = orderingOf(order);
  const list = [filter, order];
  const numKeys = ordering.after.split("?").length - 1;
  const key = pageKeyOf(list, query.pageToken, numKeys);
  const conditions = [
    ...conditionsOf(query),
    ...(key ? [{ sql: ordering.after, values: key }] : []),
  ];
  const where = conditions.map(({ sql }) => sql).join(" AND ");
  const orderBy = `ORDER BY ${ordering.orderBy}`;
  // The bytes are counted once it is known which few are on the page.
  const page = `SELECT number, id, accuracy FROM experiments ${where && `WHERE ${where}`} ${orderBy} LIMIT ?`;
  return {
    sql: `SELECT number, id, accuracy, ${BYTES} AS bytes FROM (${page}) AS page ${orderBy}`,
    values: [...conditions.flatMap(({ values }) => values), query.pageSize + 1],
    tokenAfter: (row) => pageToken(list, ordering.keyOf(row)),
  };
}

function conditionsOf({ filter }: ExperimentQuery): { sql: string; values: readonly SqlValue[] }[] {
  const { states, dataset, model, owner, sweepId, text } = filter;
  const equal = { dataset, model, owner };
  return [
    ...Object.entries(equal)
      .filter(([, value]) => value !== "")
      .map(([column, value]) => ({ sql: `${column} = ?`, values: [value] })),
    // In the words of the index, so that SQLite uses it.
    ...(sweepId !== "" ? [{ sql: "sweep_id = ? AND sweep_id <> ''", values: [sweepId] }] : []),
    ...(states.length > 0
      ? [{ sql: `state IN (${states.map(() => "?").join(", ")})`, values: states }]
      : []),
    ...(text !== "" ? [{ sql: "instr(search_text, ?) > 0", values: [text.toLowerCase()] }] : []),
  ];
}

function orderingOf(order: ExperimentOrder): Ordering {
  if (order === ExperimentOrder.OLDEST_FIRST) return OLDEST_FIRST;
  if (order === ExperimentOrder.MOST_ACCURATE_FIRST) return MOST_ACCURATE_FIRST;
  return NEWEST_FIRST;
}
