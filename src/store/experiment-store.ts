import { PAGE_BYTES } from "../experiment/domain/page-token.js";
import type {
  Change,
  EncodedPage,
  ExperimentPage,
  ExperimentQuery,
  ExperimentStore,
  Leftovers,
} from "../experiment/domain/ports.js";
import { artifactOf, type ExperimentRecord, type TaskRecord } from "../experiment/domain/record.js";
import {
  type Artifact,
  Event,
  State,
  Task,
  type TaskResult,
} from "../generated/stillhouse/v1/experiment.js";
import { bytesOf, type SqlFile } from "./database.js";
import { artifactIdOf, experimentColumns } from "./experiment-columns.js";
import { ExperimentRows } from "./experiment-rows.js";
import type { RemovalRoom } from "./removal-room.js";
import { requestKey } from "./request-key.js";

interface TaskMessage {
  message: Uint8Array;
}

interface EventRow {
  sequence: number;
  message: Uint8Array;
}

/** Points of a piece; their pages are some hundred kB. An event is about ten times as large. */
const PIECE_ROWS = 5_000;
/** Of an experiment. */
const TASKS = "SELECT id FROM tasks WHERE experiment_id = ?";
const SERIES = `SELECT id FROM metric_series WHERE task_id IN (${TASKS})`;
const NO_ROOM: Pick<RemovalRoom, "remove"> = { remove: (removal) => removal() };

/** Experiments, tasks and their events in SQLite. A call that returns has been written to the disk. */
export class SqliteExperimentStore implements ExperimentStore {
  readonly #file: SqlFile;
  readonly #rows: ExperimentRows;
  readonly #room: Pick<RemovalRoom, "remove">;

  /** @param room for removals with a full disk; absent: none */
  constructor(file: SqlFile, room: Pick<RemovalRoom, "remove"> = NO_ROOM) {
    this.#file = file;
    this.#rows = new ExperimentRows(file);
    this.#room = room;
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
      change.record.tasks.forEach((entry, position) => {
        this.#insertTask(entry, position);
      });
      return this.#appendEvents(experiment.id, change.events);
    });
  }

  /** Removes the experiments of sweeps that a process was killed in storing. */
  removeIncomplete(): void {
    const rows = this.#file.all<{ id: string }>(
      "SELECT id FROM experiments WHERE sweep_id <> '' AND sweep_id NOT IN (SELECT id FROM sweeps)",
    );
    for (const { id } of rows) this.remove(id);
  }

  /** Writes the version of the tables once more. */
  assertWritable(): void {
    this.#file.transaction(() => {
      this.#file.exec(`PRAGMA user_version = ${this.#file.pragma("user_version")}`);
    });
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
      for (const entry of change.tasks) this.#updateTask(entry);
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

  unfinished(): Iterable<ExperimentRecord> {
    return this.#rows.unfinished();
  }

  remove(experimentId: string): void {
    this.#room.remove(
      () => this.#removeAll(experimentId),
      () => this.#removePiece(experimentId),
    );
  }

  leftovers(): Leftovers {
    const rows = this.#file.all<{ kind: string; id: string }>("SELECT kind, id FROM leftovers");
    const ids = (kind: string) => rows.filter((row) => row.kind === kind).map(({ id }) => id);
    return { artifactIds: ids("artifact"), taskIds: ids("task") };
  }

  forgetLeftovers(): void {
    this.#room.remove(() => this.#file.run("DELETE FROM leftovers"));
  }

  findArtifact(artifactId: string): Artifact | undefined {
    const row = this.#file.get<TaskMessage>(
      "SELECT message FROM tasks WHERE artifact_id = ? LIMIT 1",
      artifactId,
    );
    const kind = row && Task.decode(bytesOf(row.message)).result?.kind;
    return kind?.$case === "distill" ? kind.value.artifact : undefined;
  }

  findResults(cacheKey: string): { result: TaskResult; endTime: Date | undefined }[] {
    return this.#file
      .all<TaskMessage>(
        `SELECT message FROM tasks
         WHERE cache_key = ? AND cache_key <> '' AND state = 'STATE_SUCCEEDED'`,
        cacheKey,
      )
      .map((row) => Task.decode(bytesOf(row.message)))
      .flatMap(({ result, endTime }) => (result === undefined ? [] : [{ result, endTime }]))
      .sort((a, b) => (b.endTime?.getTime() ?? 0) - (a.endTime?.getTime() ?? 0));
  }

  keysWithResults(cacheKeys: readonly string[]): ReadonlySet<string> {
    const rows = this.#file.all<{ cache_key: string }>(
      `SELECT DISTINCT cache_key FROM tasks
       WHERE cache_key IN (SELECT value FROM json_each(?))
         AND cache_key <> '' AND state = 'STATE_SUCCEEDED'`,
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
           )
         ) WHERE bytes_before < ? ORDER BY sequence`,
        experimentId,
        sequence,
        limit,
        PAGE_BYTES,
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

  #removeAll(experimentId: string): void {
    this.#file.transaction(() => {
      const record = this.find(experimentId);
      if (record === undefined) return;
      for (const table of ["metric_blocks", "metric_points"]) {
        this.#file.run(`DELETE FROM ${table} WHERE series IN (${SERIES})`, experimentId);
      }
      this.#file.run(`DELETE FROM metric_series WHERE task_id IN (${TASKS})`, experimentId);
      for (const table of ["events", "tasks"]) {
        this.#file.run(`DELETE FROM ${table} WHERE experiment_id = ?`, experimentId);
      }
      this.#file.run("DELETE FROM experiments WHERE id = ?", experimentId);
      for (const id of new Set([experimentId, artifactOf(record)])) {
        if (id !== undefined && !this.#isArtifactUsed(id)) this.#addLeftover("artifact", id);
      }
      for (const { task } of record.tasks) this.#addLeftover("task", task.id);
    });
  }

  /** Of what an experiment may have very many of: of points first, then of events. */
  #removePiece(experimentId: string): { changes: number } {
    const points = this.#file.run(
      `DELETE FROM metric_points WHERE (series, step) IN (
         SELECT series, step FROM metric_points WHERE series IN (${SERIES}) LIMIT ${PIECE_ROWS}
       )`,
      experimentId,
    );
    if (points.changes > 0) return points;
    return this.#file.run(
      `DELETE FROM events WHERE experiment_id = ?1 AND sequence IN (
         SELECT sequence FROM events WHERE experiment_id = ?1 LIMIT ${PIECE_ROWS / 10}
       )`,
      experimentId,
    );
  }

  #isArtifactUsed(artifactId: string): boolean {
    return this.findArtifact(artifactId) !== undefined;
  }

  #addLeftover(kind: "artifact" | "task", id: string): void {
    this.#file.run("INSERT OR IGNORE INTO leftovers (kind, id) VALUES (?, ?)", kind, id);
  }

  #insertTask({ task, numLost }: TaskRecord, position: number): void {
    this.#file.run(
      `INSERT INTO tasks
         (id, experiment_id, position, state, attempt, cache_key, num_lost, message, artifact_id)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      task.id,
      task.experimentId,
      position,
      task.state,
      task.attempt,
      task.cacheKey,
      numLost,
      Task.encode(task).finish(),
      artifactIdOf(task),
    );
  }

  #updateTask({ task, numLost }: TaskRecord): void {
    this.#file.run(
      `UPDATE tasks SET state = ?, attempt = ?, num_lost = ?, message = ?, artifact_id = ?
       WHERE id = ?`,
      task.state,
      task.attempt,
      numLost,
      Task.encode(task).finish(),
      artifactIdOf(task),
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
