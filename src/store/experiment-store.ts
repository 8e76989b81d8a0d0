import { PAGE_BYTES } from "../experiment/domain/page-token.js";
import {
  type ExperimentRecord,
  storedArtifact,
  type TaskRecord,
} from "../experiment/domain/record.js";
import { startable } from "../experiment/domain/startable.js";
import type {
  Change,
  EncodedPage,
  ExperimentPage,
  ExperimentQuery,
  ExperimentStore,
  Leftovers,
} from "../experiment/domain/storage-ports.js";
import {
  type Artifact,
  Event,
  LogLevel,
  LogLine,
  State,
  Task,
  type TaskResult,
} from "../generated/stillhouse/v1/experiment.js";
import { artifactIdOf, experimentColumns, taskColumns } from "./experiment-columns.js";
import { ExperimentRemoval } from "./experiment-removal.js";
import { ExperimentRows } from "./experiment-rows.js";
import { QueueRows } from "./queue-rows.js";
import type { RemovalRoom } from "./removal-room.js";
import { requestKey } from "./request-key.js";
import type { SqlDatabase } from "./sql-database.js";
import { readMessage } from "./unreadable-row.js";

interface TaskMessage {
  message: Uint8Array;
}

type CanStart = ReturnType<typeof startable>;

interface EventRow {
  sequence: number;
  message: Uint8Array;
}

export interface ExperimentStoreOptions {
  /** Room for removals on a full disk; none where absent. */
  readonly room?: Pick<RemovalRoom, "remove">;
  /** Called once for each row that cannot be read. */
  readonly onUnreadable?: (sentence: string) => void;
}

/** Many experiments may have reused the same artifact; the first readable row describes it. */
const ARTIFACT_ROWS = 8;
const NO_ROOM: Pick<RemovalRoom, "remove"> = { remove: (removal) => removal() };

/**
 * Results under one cache key are equal, so a few of the newest are enough: among them should be
 * one whose artifact exists, and that is new enough for a caller who wants no earlier ones.
 */
const MAX_RESULTS = 64;

/**
 * Experiments, tasks and their events in SQLite. When a call returns, its change is on the disk.
 */
export class SqliteExperimentStore implements ExperimentStore {
  readonly queue: QueueRows;
  readonly #file: SqlDatabase;
  readonly #rows: ExperimentRows;
  readonly #removal: ExperimentRemoval;

  constructor(
    file: SqlDatabase,
    { room = NO_ROOM, onUnreadable = () => undefined }: ExperimentStoreOptions = {},
  ) {
    this.#file = file;
    this.queue = new QueueRows(file);
    this.#rows = new ExperimentRows(file, onUnreadable);
    this.#removal = new ExperimentRemoval(file, room);
  }

  create(change: Change, requestId: string): Event[] {
    return this.#file.transaction(() => {
      const { experiment } = change.record;
      const columns = {
        id: experiment.id,
        request_id: requestKey(experiment.owner, requestId),
        ...experimentColumns(change.record),
      };
      const names = Object.keys(columns);
      this.#file.run(
        `INSERT INTO experiments (${names.join(", ")}) VALUES (${names.map(() => "?").join(", ")})`,
        ...Object.values(columns),
      );
      const canStart = startable(change.record);
      change.record.tasks.forEach((entry, position) => {
        this.#insertTask(entry, position, canStart);
      });
      return this.#appendEvents(experiment.id, change.events);
    });
  }

  /** Removes experiments of sweeps that were not stored completely before the process ended. */
  removeIncomplete(): void {
    const rows = this.#file.all<{ id: string }>(
      "SELECT id FROM experiments WHERE sweep_id <> '' AND sweep_id NOT IN (SELECT id FROM sweeps)",
    );
    for (const { id } of rows) this.remove(id);
  }

  /** Tests whether anything can be stored. */
  assertWritable(): void {
    this.#file.assertWritable();
  }

  commit(change: Change): Event[] {
    return this.#file.transaction(() => {
      const { experiment } = change.record;
      const columns = experimentColumns(change.record);
      this.#file.run(
        `UPDATE experiments SET ${Object.keys(columns)
          .map((name) => `${name} = ?`)
          .join(", ")}
         WHERE id = ?`,
        ...Object.values(columns),
        experiment.id,
      );
      this.#updateTasks(change);
      return this.#appendEvents(experiment.id, change.events);
    });
  }

  find(experimentId: string): ExperimentRecord | undefined {
    return this.#rows.find(experimentId);
  }

  findByRequest(requestId: string, owner: string): ExperimentRecord | undefined {
    return this.#rows.findByRequest(requestId, owner);
  }

  list(query: ExperimentQuery): ExperimentPage {
    return this.#rows.list(query);
  }

  listEncoded(query: ExperimentQuery): EncodedPage {
    return this.#rows.listEncoded(query);
  }

  has(experimentId: string): boolean {
    return this.#file.get("SELECT 1 FROM experiments WHERE id = ?", experimentId) !== undefined;
  }

  remove(experimentId: string): void {
    this.#removal.remove(experimentId);
  }

  leftovers(): Leftovers {
    return this.#removal.leftovers();
  }

  forgetLeftovers(): void {
    this.#removal.forgetLeftovers();
  }

  findArtifact(artifactId: string): Artifact | undefined {
    const [task] = this.#tasks(`artifact_id = ? LIMIT ${ARTIFACT_ROWS}`, artifactId);
    return storedArtifact(task?.result);
  }

  findResults(cacheKey: string): { result: TaskResult; endTime: Date | undefined }[] {
    const where =
      "cache_key = ? AND cache_key <> '' AND state = 'STATE_SUCCEEDED' " +
      `ORDER BY rowid DESC LIMIT ${MAX_RESULTS}`;
    return [...this.#tasks(where, cacheKey)]
      .flatMap(({ result, endTime }) => (result === undefined ? [] : [{ result, endTime }]))
      .sort((a, b) => (b.endTime?.getTime() ?? 0) - (a.endTime?.getTime() ?? 0));
  }

  keysWithResults(cacheKeys: readonly string[]): ReadonlySet<string> {
    const rows = this.#file.all<{ cache_key: string }>(
      `SELECT DISTINCT value AS cache_key FROM json_each(?) WHERE EXISTS (
         SELECT 1 FROM tasks
         WHERE cache_key = value AND cache_key <> '' AND state = 'STATE_SUCCEEDED')`,
      JSON.stringify(cacheKeys),
    );
    return new Set(rows.map((row) => row.cache_key));
  }

  eventsAfter(experimentId: string, sequence: bigint, limit: number): Event[] {
    return this.#file
      .all<EventRow>(
        `SELECT sequence, message FROM (
           SELECT sequence, message, sum(length(message)) OVER (ORDER BY sequence)
             - length(message) AS bytes_before
           FROM (
             SELECT sequence, message FROM events WHERE experiment_id = ? AND sequence > ?
             ORDER BY sequence LIMIT ?
           ) AS few
         ) AS measured WHERE bytes_before < ? ORDER BY sequence`,
        experimentId,
        sequence,
        limit,
        PAGE_BYTES,
      )
      .map(({ sequence, message }) => ({
        ...readEvent(experimentId, sequence, message),
        sequence: BigInt(sequence),
      }));
  }

  lastSequence(experimentId: string): bigint {
    const row = this.#file.get<{ last: number | null }>(
      "SELECT max(sequence) AS last FROM events WHERE experiment_id = ?",
      experimentId,
    );
    return BigInt(row?.last ?? 0);
  }

  /** Whether a task is done, so that its folder of checkpoints is no longer needed. */
  isTaskSucceeded(taskId: string): boolean {
    const row = this.#file.get<{ state: string }>("SELECT state FROM tasks WHERE id = ?", taskId);
    return row?.state === State.SUCCEEDED;
  }

  /** The tasks that can be read, one by one; the result of a damaged one can be computed again. */
  *#tasks(where: string, value: string): Generator<Task, void> {
    const rows = this.#file.all<TaskMessage>(`SELECT message FROM tasks WHERE ${where}`, value);
    for (const { message } of rows) {
      const task = readMessage(Task, message);
      if (typeof task !== "string") yield task;
    }
  }

  #insertTask({ task, numLost }: TaskRecord, position: number, canStart: CanStart): void {
    const { kind, is_ready } = taskColumns(task, canStart);
    this.#file.run(
      `INSERT INTO tasks (id, experiment_id, position, state, attempt, cache_key, num_lost,
         message, artifact_id, kind, is_ready)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      task.id,
      task.experimentId,
      position,
      task.state,
      task.attempt,
      task.cacheKey,
      numLost,
      Task.encode(task).finish(),
      artifactIdOf(task),
      kind,
      is_ready,
    );
  }

  #updateTasks({ record, tasks, madeReady = [] }: Change): void {
    if (tasks.length === 0) return;
    const canStart = startable(record);
    for (const entry of tasks) this.#updateTask(entry, canStart);
    this.#markReady(madeReady);
  }

  #updateTask({ task, numLost }: TaskRecord, canStart: CanStart): void {
    const { kind, is_ready } = taskColumns(task, canStart);
    this.#file.run(
      `UPDATE tasks SET state = ?, attempt = ?, num_lost = ?, message = ?, artifact_id = ?,
         kind = ?, is_ready = ? WHERE id = ?`,
      task.state,
      task.attempt,
      numLost,
      Task.encode(task).finish(),
      artifactIdOf(task),
      kind,
      is_ready,
      task.id,
    );
  }

  #markReady(taskIds: readonly string[]): void {
    if (taskIds.length === 0) return;
    this.#file.run(
      "UPDATE tasks SET is_ready = 1 WHERE id IN (SELECT value FROM json_each(?))",
      JSON.stringify(taskIds),
    );
  }

  /** Numbers the events within a transaction, so that there is never a gap. */
  #appendEvents(experimentId: string, events: readonly Event[]): Event[] {
    if (events.length === 0) return [];
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

/** Replaces an event that cannot be read by a log line that says so. */
function readEvent(experimentId: string, sequence: number, bytes: Uint8Array): Event {
  const event = readMessage(Event, bytes, (found) => found.experimentId === experimentId);
  if (typeof event !== "string") return event;
  const message = `Event ${sequence} cannot be read: its row in the database is damaged (${event}).`;
  const line = LogLine.fromPartial({ level: LogLevel.WARNING, message });
  return Event.fromPartial({ experimentId, kind: { $case: "log", value: line } });
}
