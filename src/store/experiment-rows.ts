import { toFailure } from "../errors.js";
import { fittedBytes } from "../experiment/domain/fitted-experiment.js";
import { fitting, PAGE_BYTES } from "../experiment/domain/page-token.js";
import type { ExperimentRecord, TaskRecord } from "../experiment/domain/record.js";
import type {
  EncodedPage,
  ExperimentPage,
  ExperimentQuery,
} from "../experiment/domain/storage-ports.js";
import { Experiment, State, Task } from "../generated/stillhouse/v1/experiment.js";
import { experimentBytes } from "./experiment-bytes.js";
import { EXPERIMENT_COLUMNS, pageStatement } from "./experiment-query.js";
import { requestKey } from "./request-key.js";
import { bytesOf, type SqlDatabase, type SqlValue } from "./sql-database.js";
import { readMessage, UnreadableRow } from "./unreadable-row.js";

interface ExperimentRow {
  number: number;
  id: string;
  cancel_requested: number;
  owner: string;
  priority: number;
  sweep_id: string;
  message: Uint8Array;
}

interface PageRow {
  number: number;
  id: string;
  accuracy: number;
  bytes: number;
}

interface TaskRow {
  id: string;
  num_lost: number;
  message: Uint8Array;
}

type Found =
  | { readonly record: ExperimentRecord }
  | { readonly row: ExperimentRow; readonly fault: UnreadableRow };

/** Reads experiments with their tasks from SQLite. */
export class ExperimentRows {
  readonly #file: SqlDatabase;
  readonly #onUnreadable: (sentence: string) => void;
  readonly #toldOf = new Set<string>();
  /** Ids of experiments that have been read by this process. */
  readonly #isReadable = new Set<string>();

  /** @param onUnreadable is called once for each row that cannot be read */
  constructor(file: SqlDatabase, onUnreadable: (sentence: string) => void) {
    this.#file = file;
    this.#onUnreadable = onUnreadable;
  }

  find(experimentId: string): ExperimentRecord | undefined {
    return this.#one(`SELECT ${EXPERIMENT_COLUMNS} FROM experiments WHERE id = ?`, experimentId);
  }

  findByRequest(requestId: string, owner: string): ExperimentRecord | undefined {
    // Earlier versions stored a request id without its owner.
    return this.#one(
      `SELECT ${EXPERIMENT_COLUMNS} FROM experiments WHERE request_id IN (?, ?) AND owner = ?`,
      requestKey(owner, requestId),
      requestId,
      owner,
    );
  }

  list(query: ExperimentQuery): ExperimentPage {
    const { page, nextPageToken } = this.#page(query);
    const records = this.#found(this.#rowsOf(page)).map((found) => recordOf(found));
    return { records, nextPageToken };
  }

  listEncoded(query: ExperimentQuery): EncodedPage {
    const { page, nextPageToken } = this.#page(query);
    const rows = this.#rowsOf(page);
    const tasks = this.#taskRows(rows);
    const experiments = rows.map((row) => {
      const ofIt = tasks.get(row.id) ?? [];
      return { id: row.id, bytes: fittedBytes(this.#bytesOf(row, ofIt)) };
    });
    return { experiments, nextPageToken };
  }

  #page(query: ExperimentQuery): { page: PageRow[]; nextPageToken: string } {
    const { sql, values, tokenAfter } = pageStatement(query);
    const found = this.#file.all<PageRow>(sql, ...values);
    const page = fitting(found, query.pageSize, ({ bytes }) => Math.min(bytes, PAGE_BYTES));
    const last = page.at(-1);
    const hasMore = found.length > page.length && last !== undefined;
    return { page, nextPageToken: hasMore ? tokenAfter(last) : "" };
  }

  /** The records in the order of the page. */
  #rowsOf(page: readonly PageRow[]): ExperimentRow[] {
    const rows = this.#file.all<ExperimentRow>(
      `SELECT ${EXPERIMENT_COLUMNS} FROM experiments WHERE id IN (SELECT value FROM json_each(?))`,
      JSON.stringify(page.map(({ id }) => id)),
    );
    const byId = new Map(rows.map((row) => [row.id, row]));
    return page.flatMap(({ id }) => byId.get(id) ?? []);
  }

  #one(sql: string, ...values: SqlValue[]): ExperimentRecord | undefined {
    const row = this.#file.get<ExperimentRow>(sql, ...values);
    const [found] = row ? this.#found([row]) : [];
    if (found !== undefined && "fault" in found) throw found.fault;
    return found?.record;
  }

  #found(rows: readonly ExperimentRow[]): Found[] {
    const tasks = this.#taskRows(rows);
    return rows.map((row) => this.#read(row, tasks.get(row.id) ?? []));
  }

  #read(row: ExperimentRow, tasks: readonly TaskRow[]): Found {
    const record = readRecord(row, tasks);
    if (!(record instanceof UnreadableRow)) {
      this.#isReadable.add(row.id);
      return { record };
    }
    if (!this.#toldOf.has(row.id)) this.#onUnreadable(record.message);
    this.#toldOf.add(row.id);
    return { row, fault: record };
  }

  /**
   * The bytes of an `Experiment`. A row is decoded only the first time, to check that it is readable.
   */
  #bytesOf(row: ExperimentRow, tasks: readonly TaskRow[]): Uint8Array {
    const found = this.#isReadable.has(row.id) ? undefined : this.#read(row, tasks);
    if (found !== undefined && "fault" in found) {
      return Experiment.encode(recordOf(found).experiment).finish();
    }
    const ofTasks = tasks.map(({ message }) => bytesOf(message));
    return experimentBytes(bytesOf(row.message), ofTasks);
  }

  /** The tasks of each experiment in order, by its id. */
  #taskRows(rows: readonly ExperimentRow[]): Map<string, TaskRow[]> {
    const tasks = new Map(rows.map(({ id }) => [id, [] as TaskRow[]]));
    const found = this.#file.all<TaskRow & { experiment_id: string }>(
      `SELECT id, experiment_id, num_lost, message FROM tasks
       WHERE experiment_id IN (SELECT value FROM json_each(?)) ORDER BY experiment_id, position`,
      JSON.stringify([...tasks.keys()]),
    );
    for (const row of found) tasks.get(row.experiment_id)?.push(row);
    return tasks;
  }
}

function readRecord(
  row: ExperimentRow,
  rows: readonly TaskRow[],
): ExperimentRecord | UnreadableRow {
  const isIt = ({ id, spec }: Experiment) => id === row.id && spec !== undefined;
  const experiment = readMessage(Experiment, row.message, isIt);
  if (typeof experiment === "string") {
    return new UnreadableRow("experiments", row.id, row.id, experiment);
  }
  const tasks: TaskRecord[] = [];
  for (const { id, num_lost: numLost, message } of rows) {
    const task = readMessage(Task, message, (found) => found.id === id);
    if (typeof task === "string") return new UnreadableRow("tasks", id, row.id, task);
    tasks.push({ task, numLost });
  }
  return { experiment, tasks, cancelRequested: row.cancel_requested !== 0 };
}

/**
 * The record for a list, which shows an unreadable experiment as failed, with what its columns say.
 */
function recordOf(found: Found): ExperimentRecord {
  if (!("fault" in found)) return found.record;
  const { id, owner, priority, sweep_id: sweepId } = found.row;
  const failure = toFailure(found.fault);
  const state = State.FAILED;
  const experiment = Experiment.fromPartial({ id, owner, priority, sweepId, state, failure });
  return { experiment, tasks: [], cancelRequested: false };
}
