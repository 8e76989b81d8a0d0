import { fittedBytes } from "../experiment/domain/fitted-experiment.js";
import { fitting, PAGE_BYTES } from "../experiment/domain/page-token.js";
import type { EncodedPage, ExperimentPage, ExperimentQuery } from "../experiment/domain/ports.js";
import type { ExperimentRecord } from "../experiment/domain/record.js";
import { Experiment, Task } from "../generated/stillhouse/v1/experiment.js";
import { bytesOf, type SqlFile, type SqlValue } from "./database.js";
import { experimentBytes } from "./experiment-bytes.js";
import { EXPERIMENT_COLUMNS, pageStatement } from "./experiment-query.js";
import { requestKey } from "./request-key.js";

interface ExperimentRow {
  number: number;
  id: string;
  cancel_requested: number;
  message: Uint8Array;
}

interface PageRow {
  number: number;
  id: string;
  accuracy: number;
  bytes: number;
}

interface TaskRow {
  num_lost: number;
  message: Uint8Array;
}

/** A few, so that a start reads many in pieces. */
const EXPERIMENTS_PER_READ = 8;

/** Experiments as they are read from SQLite, with their tasks. */
export class ExperimentRows {
  readonly #file: SqlFile;

  constructor(file: SqlFile) {
    this.#file = file;
  }

  find(experimentId: string): ExperimentRecord | undefined {
    return this.#one(`SELECT ${EXPERIMENT_COLUMNS} FROM experiments WHERE id = ?`, experimentId);
  }

  findByRequest(requestId: string, owner: string): ExperimentRecord | undefined {
    // An id alone is how it was remembered before it was its owner's.
    return this.#one(
      `SELECT ${EXPERIMENT_COLUMNS} FROM experiments WHERE request_id IN (?, ?) AND owner = ?`,
      requestKey(owner, requestId),
      requestId,
      owner,
    );
  }

  list(query: ExperimentQuery): ExperimentPage {
    const { page, nextPageToken } = this.#page(query);
    return { records: this.#records(this.#rowsOf(page)), nextPageToken };
  }

  listEncoded(query: ExperimentQuery): EncodedPage {
    const { page, nextPageToken } = this.#page(query);
    const rows = this.#rowsOf(page);
    const tasks = this.#taskRows(rows);
    const experiments = rows.map(({ id, message }) => {
      const ofIt = (tasks.get(id) ?? []).map((row) => bytesOf(row.message));
      return { id, bytes: fittedBytes(experimentBytes(bytesOf(message), ofIt)) };
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

  /** In the order of the page. */
  #rowsOf(page: readonly PageRow[]): ExperimentRow[] {
    const rows = this.#file.all<ExperimentRow>(
      `SELECT ${EXPERIMENT_COLUMNS} FROM experiments WHERE id IN (SELECT value FROM json_each(?))`,
      JSON.stringify(page.map(({ id }) => id)),
    );
    const byId = new Map(rows.map((row) => [row.id, row]));
    return page.flatMap(({ id }) => byId.get(id) ?? []);
  }

  *unfinished(): Generator<ExperimentRecord, void> {
    for (let after = 0; ; ) {
      const rows = this.#file.all<ExperimentRow>(
        `SELECT ${EXPERIMENT_COLUMNS} FROM experiments WHERE is_ended = 0 AND number > ?
         ORDER BY number LIMIT ${EXPERIMENTS_PER_READ}`,
        after,
      );
      yield* this.#records(rows);
      const last = rows.at(-1);
      if (last === undefined) return;
      after = last.number;
    }
  }

  #one(sql: string, ...values: SqlValue[]): ExperimentRecord | undefined {
    const row = this.#file.get<ExperimentRow>(sql, ...values);
    return row && this.#records([row])[0];
  }

  #records(rows: readonly ExperimentRow[]): ExperimentRecord[] {
    const tasks = this.#taskRows(rows);
    return rows.map((row) => ({
      experiment: Experiment.decode(bytesOf(row.message)),
      tasks: (tasks.get(row.id) ?? []).map(({ num_lost, message }) => ({
        numLost: num_lost,
        task: Task.decode(bytesOf(message)),
      })),
      cancelRequested: row.cancel_requested !== 0,
    }));
  }

  /** The tasks of experiments in their order, by the id of the experiment. */
  #taskRows(rows: readonly ExperimentRow[]): Map<string, TaskRow[]> {
    const tasks = new Map(rows.map(({ id }) => [id, [] as TaskRow[]]));
    const found = this.#file.all<TaskRow & { experiment_id: string }>(
      `SELECT experiment_id, num_lost, message FROM tasks
       WHERE experiment_id IN (SELECT value FROM json_each(?)) ORDER BY experiment_id, position`,
      JSON.stringify([...tasks.keys()]),
    );
    for (const row of found) tasks.get(row.experiment_id)?.push(row);
    return tasks;
  }
}
