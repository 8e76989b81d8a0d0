import type { ExperimentRecord } from "../../../src/experiment/domain/record.js";
import { withResult } from "../../../src/experiment/domain/resulted.js";
import { startable } from "../../../src/experiment/domain/startable.js";
import { completeTask, leaseTask } from "../../../src/experiment/domain/transitions.js";
import { Task } from "../../../src/generated/stillhouse/v1/experiment.js";
import { Sweep } from "../../../src/generated/stillhouse/v1/service.js";
import {
  artifactIdOf,
  experimentColumns,
  taskColumns,
} from "../../../src/store/experiment-columns.js";
import type { SqlDatabase, SqlValue } from "../../../src/store/sql-database.js";
import { SqliteSweepStore } from "../../../src/store/sweep-store.js";
import {
  DISTILLED,
  LEARNERS,
  NOW,
  plannedRecord,
  resolvedSpec,
} from "../../fixtures/experiments.js";
import { onDatabase } from "./bench-store.js";

/** One of five has not ended. */
const UNFINISHED_SHARE = 5;
/** One of ten of these is distilled, and waits for its evaluation. */
const BEGUN_SHARE = 10;
const NUM_OWNERS = 20;
const NUM_PRIORITIES = 3;
const SWEEP_SIZE = 1_000;
const ROWS_PER_COMMIT = 20_000;
/** As long as real ids, so that it can be replaced in encoded messages. */
const TEMPLATE_ID = "template00";

/** A stored row, whose texts and bytes contain the id and the cache key of a template. */
interface Row {
  readonly table: "experiments" | "tasks";
  readonly columns: Readonly<Record<string, SqlValue>>;
  /** The cache key in it; empty for none. */
  readonly cacheKey: string;
}

/** The rows of an experiment as the store writes them. */
type Template = readonly Row[];

/**
 * Stores experiments of the plan of a real spec, one of five unfinished, in sweeps of twenty owners.
 * Only the first of each state is planned and encoded: the others are its rows under ids and cache
 * keys of their own. They have no events and no metric points.
 */
export function storeMillion(home: string, count: number): Promise<void> {
  return onDatabase(home, false, (database) => {
    const addIndexes = withoutIndexes(database);
    const templates = { ended: endedRows(), begun: begunRows(), queued: rowsOf(planned()) };
    for (let first = 0; first < count; first += ROWS_PER_COMMIT) {
      database.transaction(() => {
        for (let at = first; at < Math.min(count, first + ROWS_PER_COMMIT); at++) {
          if (at % SWEEP_SIZE === 0) storeSweep(database, at);
          storeOne(database, templates[stateOf(at)], at);
        }
      });
    }
    addIndexes();
  });
}

/** How many of them have not ended. */
export function numUnfinished(count: number): number {
  return Math.ceil(count / UNFINISHED_SHARE);
}

function stateOf(at: number): "ended" | "begun" | "queued" {
  if (at % UNFINISHED_SHARE !== 0) return "ended";
  return at % (UNFINISHED_SHARE * BEGUN_SHARE) === 0 ? "begun" : "queued";
}

function storeSweep(database: SqlDatabase, at: number): void {
  const sweep = Sweep.fromPartial({ id: sweepOf(at), owner: ownerOf(at), createTime: NOW });
  new SqliteSweepStore(database).createSweep(sweep, "");
}

function sweepOf(at: number): string {
  return `s${String(Math.floor(at / SWEEP_SIZE)).padStart(9, "0")}`;
}

function ownerOf(at: number): string {
  return `owner${Math.floor(at / SWEEP_SIZE) % NUM_OWNERS}`;
}

function storeOne(database: SqlDatabase, template: Template, at: number): void {
  const id = `e${String(at).padStart(TEMPLATE_ID.length - 1, "0")}`;
  const placed = { owner: ownerOf(at), priority: at % NUM_PRIORITIES, sweep_id: sweepOf(at) };
  template.forEach(({ table, columns, cacheKey }, position) => {
    const keys: [string, string][] = [[TEMPLATE_ID, id]];
    // Spread over the whole index, as hashes are.
    const hash = Math.imul(at * 16 + position, 0x9e3779b1) >>> 0;
    const key = hash.toString(16).padStart(8, "0").repeat(8);
    if (cacheKey !== "") keys.push([cacheKey, key]);
    const values = Object.values(columns).map((value) => replaced(value, keys));
    const more = table === "experiments" ? Object.values(placed) : [];
    const names = [...Object.keys(columns), ...(more.length > 0 ? Object.keys(placed) : [])];
    database.run(
      `INSERT INTO ${table} (${names}) VALUES (${names.map(() => "?")})`,
      ...[...values, ...more],
    );
  });
}

function replaced(value: SqlValue, keys: readonly (readonly [string, string])[]): SqlValue {
  if (typeof value === "string") {
    return keys.reduce((text, [from, to]) => text.replaceAll(from, to), value);
  }
  if (!(value instanceof Uint8Array)) return value;
  const bytes = Buffer.from(value);
  for (const [from, to] of keys) {
    for (let at = bytes.indexOf(from); at !== -1; at = bytes.indexOf(from, at + to.length)) {
      bytes.write(to, at, "latin1");
    }
  }
  return bytes;
}

function planned(): ExperimentRecord {
  return withResult(plannedRecord(TEMPLATE_ID, resolvedSpec()));
}

function endedRows(): Template {
  return rowsOf(finished(planned(), () => true));
}

function begunRows(): Template {
  return rowsOf(finished(planned(), (task) => task.id.endsWith("distill")));
}

function finished(record: ExperimentRecord, isDone: (task: Task) => boolean): ExperimentRecord {
  const done = record.tasks.filter(({ task }) => isDone(task));
  return withResult(
    done.reduce((before, { task }) => {
      const result = task.id.endsWith("distill") ? DISTILLED : LEARNERS;
      return completeTask(leaseTask(before, task.id, NOW), task.id, result, NOW);
    }, record),
  );
}

function rowsOf(record: ExperimentRecord): Template {
  const { owner: _, priority: __, sweep_id: ___, ...columns } = experimentColumns(record);
  const canStart = startable(record);
  const tasks = record.tasks.map(({ task, numLost }, position): Row => {
    const own = {
      id: task.id,
      experiment_id: task.experimentId,
      position,
      state: task.state,
      attempt: task.attempt,
      cache_key: task.cacheKey,
      num_lost: numLost,
      message: Task.encode(task).finish(),
      artifact_id: artifactIdOf(task),
      ...taskColumns(task, canStart),
    };
    return { table: "tasks", columns: own, cacheKey: task.cacheKey };
  });
  const own = { id: record.experiment.id, ...columns };
  return [{ table: "experiments", columns: own, cacheKey: "" }, ...tasks];
}

/**
 * Takes the indexes away while a database of SQLite is filled, which is many times as fast.
 *
 * @returns what puts them back
 */
function withoutIndexes(database: SqlDatabase): () => void {
  if (database.dialect !== "sqlite") return () => undefined;
  const indexes = database.all<{ name: string; sql: string }>(
    "SELECT name, sql FROM sqlite_schema WHERE type = 'index' AND sql IS NOT NULL",
  );
  for (const { name } of indexes) database.exec(`DROP INDEX ${name}`);
  return () => {
    for (const { sql } of indexes) database.exec(sql);
  };
}
