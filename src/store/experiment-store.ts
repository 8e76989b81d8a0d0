import { FailureKind, StillhouseError } from "../errors.js";
import type { Change, ExperimentPage, ExperimentStore } from "../experiment/ports.js";
import type { ExperimentRecord, TaskRecord } from "../experiment/record.js";
import { isEnded } from "../experiment/states.js";
import {
  Event,
  Experiment,
  State,
  Task,
  type TaskResult,
} from "../generated/stillhouse/v1/experiment.js";
import { bytesOf, type SqlFile } from "./database.js";

interface ExperimentRow {
  number: number;
  id: string;
  cancel_requested: number;
  message: Uint8Array;
}

interface TaskRow {
  num_lost: number;
  message: Uint8Array;
}

interface EventRow {
  sequence: number;
  message: Uint8Array;
}

/** Experiments, tasks and their events in SQLite. A call that returns has been written to the disk. */
export class SqliteExperimentStore implements ExperimentStore {
  readonly #file: SqlFile;

  constructor(file: SqlFile) {
    this.#file = file;
  }

  create(change: Change, requestId: string): Event[] {
    return this.#file.transaction(() => {
      const { experiment, cancelRequested } = change.record;
      this.#file.run(
        `INSERT INTO experiments (id, request_id, state, is_ended, cancel_requested, message)
         VALUES (?, ?, ?, ?, ?, ?)`,
        experiment.id,
        requestId === "" ? null : requestId,
        experiment.state,
        Number(isEnded(experiment.state)),
        Number(cancelRequested),
        Experiment.encode(experiment).finish(),
      );
      change.record.tasks.forEach((entry, position) => {
        this.#insertTask(entry, position);
      });
      return this.#appendEvents(experiment.id, change.events);
    });
  }

  commit(change: Change): Event[] {
    return this.#file.transaction(() => {
      const { experiment, cancelRequested } = change.record;
      this.#file.run(
        `UPDATE experiments SET state = ?, is_ended = ?, cancel_requested = ?, message = ?
         WHERE id = ?`,
        experiment.state,
        Number(isEnded(experiment.state)),
        Number(cancelRequested),
        Experiment.encode(experiment).finish(),
        experiment.id,
      );
      for (const entry of change.tasks) this.#updateTask(entry);
      return this.#appendEvents(experiment.id, change.events);
    });
  }

  find(experimentId: string): ExperimentRecord | undefined {
    return this.#one("SELECT * FROM experiments WHERE id = ?", experimentId);
  }

  findByRequest(requestId: string): ExperimentRecord | undefined {
    return this.#one("SELECT * FROM experiments WHERE request_id = ?", requestId);
  }

  list(pageSize: number, pageToken: string): ExperimentPage {
    const before = pageToken === "" ? Number.MAX_SAFE_INTEGER : numberOf(pageToken);
    const rows = this.#file.all<ExperimentRow>(
      "SELECT * FROM experiments WHERE number < ? ORDER BY number DESC LIMIT ?",
      before,
      pageSize + 1,
    );
    const page = rows.slice(0, pageSize);
    const hasMore = rows.length > pageSize;
    return {
      records: page.map((row) => this.#record(row)),
      nextPageToken: hasMore ? String(page.at(-1)?.number) : "",
    };
  }

  unfinished(): ExperimentRecord[] {
    return this.#file
      .all<ExperimentRow>("SELECT * FROM experiments WHERE is_ended = 0 ORDER BY number")
      .map((row) => this.#record(row));
  }

  findResults(cacheKey: string): { result: TaskResult; endTime: Date | undefined }[] {
    return this.#file
      .all<TaskRow>(
        `SELECT num_lost, message FROM tasks
         WHERE cache_key = ? AND cache_key <> '' AND state = 'STATE_SUCCEEDED'`,
        cacheKey,
      )
      .map((row) => Task.decode(bytesOf(row.message)))
      .flatMap(({ result, endTime }) => (result === undefined ? [] : [{ result, endTime }]))
      .sort((a, b) => (b.endTime?.getTime() ?? 0) - (a.endTime?.getTime() ?? 0));
  }

  eventsAfter(experimentId: string, sequence: bigint, limit: number): Event[] {
    return this.#file
      .all<EventRow>(
        `SELECT sequence, message FROM events WHERE experiment_id = ? AND sequence > ?
         ORDER BY sequence LIMIT ?`,
        experimentId,
        sequence,
        limit,
      )
      .map((row) => ({
        ...Event.decode(bytesOf(row.message)),
        sequence: BigInt(row.sequence),
      }));
  }

  lastSequence(experimentId: string): bigint {
    const row = this.#file.get<{ last: number | null }>(
      "SELECT max(sequence) AS last FROM events WHERE experiment_id = ?",
      experimentId,
    );
    return BigInt(row?.last ?? 0);
  }

  /** Whether a task is done, and its folder of checkpoints with it. */
  isTaskSucceeded(taskId: string): boolean {
    const row = this.#file.get<{ state: string }>("SELECT state FROM tasks WHERE id = ?", taskId);
    return row?.state === State.STATE_SUCCEEDED;
  }

  #one(sql: string, value: string): ExperimentRecord | undefined {
    const row = this.#file.get<ExperimentRow>(sql, value);
    return row && this.#record(row);
  }

  #record(row: ExperimentRow): ExperimentRecord {
    const tasks = this.#file.all<TaskRow>(
      "SELECT num_lost, message FROM tasks WHERE experiment_id = ? ORDER BY position",
      row.id,
    );
    return {
      experiment: Experiment.decode(bytesOf(row.message)),
      tasks: tasks.map(({ num_lost, message }) => ({
        numLost: num_lost,
        task: Task.decode(bytesOf(message)),
      })),
      cancelRequested: row.cancel_requested !== 0,
    };
  }

  #insertTask({ task, numLost }: TaskRecord, position: number): void {
    this.#file.run(
      `INSERT INTO tasks (id, experiment_id, position, state, attempt, cache_key, num_lost, message)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
      task.id,
      task.experimentId,
      position,
      task.state,
      task.attempt,
      task.cacheKey,
      numLost,
      Task.encode(task).finish(),
    );
  }

  #updateTask({ task, numLost }: TaskRecord): void {
    this.#file.run(
      "UPDATE tasks SET state = ?, attempt = ?, num_lost = ?, message = ? WHERE id = ?",
      task.state,
      task.attempt,
      numLost,
      Task.encode(task).finish(),
      task.id,
    );
  }

  /** Numbers them on from the last one; within a transaction, so there is never a gap. */
  #appendEvents(experimentId: string, events: readonly Event[]): Event[] {
    const last = this.lastSequence(experimentId);
    return events.map((event, index) => {
      const sequence = last + BigInt(index + 1);
      this.#file.run(
        "INSERT INTO events (experiment_id, sequence, message) VALUES (?, ?, ?)",
        experimentId,
        sequence,
        Event.encode({ ...event, sequence: 0n }).finish(),
      );
      return { ...event, sequence };
    });
  }
}

function numberOf(pageToken: string): number {
  if (/^[1-9][0-9]{0,14}$/.test(pageToken)) return Number(pageToken);
  throw new StillhouseError(
    FailureKind.FAILURE_KIND_INVALID,
    `page_token must be empty or the next_page_token of an earlier page, got ${JSON.stringify(pageToken)}`,
    { field: "page_token" },
  );
}
