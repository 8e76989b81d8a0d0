import type { Leftovers } from "../experiment/domain/storage-ports.js";
import type { RemovalRoom } from "./removal-room.js";
import type { SqlDatabase } from "./sql-database.js";

/** Points per piece, some hundred kB of database pages. An event is about ten times as large. */
const PIECE_ROWS = 5_000;
/** The tasks of an experiment, and the series of these tasks. */
const TASKS = "SELECT id FROM tasks WHERE experiment_id = ?";
const SERIES = `SELECT id FROM metric_series WHERE task_id IN (${TASKS})`;

/** Removes experiments without reading their messages, so that damaged ones can be removed too. */
export class ExperimentRemoval {
  readonly #file: SqlDatabase;
  readonly #room: Pick<RemovalRoom, "remove">;

  constructor(file: SqlDatabase, room: Pick<RemovalRoom, "remove">) {
    this.#file = file;
    this.#room = room;
  }

  remove(experimentId: string): void {
    this.#room.remove(
      () => this.#file.transaction(() => this.#removeAll(experimentId)),
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

  #removeAll(experimentId: string): void {
    const tasks = this.#file.all<{ id: string; artifact_id: string | null }>(
      "SELECT id, artifact_id FROM tasks WHERE experiment_id = ?",
      experimentId,
    );
    for (const table of ["metric_blocks", "metric_points"]) {
      this.#file.run(`DELETE FROM ${table} WHERE series IN (${SERIES})`, experimentId);
    }
    this.#file.run(`DELETE FROM metric_series WHERE task_id IN (${TASKS})`, experimentId);
    for (const table of ["events", "tasks"]) {
      this.#file.run(`DELETE FROM ${table} WHERE experiment_id = ?`, experimentId);
    }
    const { changes } = this.#file.run("DELETE FROM experiments WHERE id = ?", experimentId);
    if (changes === 0) return;
    for (const id of new Set([experimentId, ...tasks.map((task) => task.artifact_id)])) {
      if (id !== null && !this.#isArtifactUsed(id)) this.#addLeftover("artifact", id);
    }
    for (const { id } of tasks) this.#addLeftover("task", id);
  }

  /** Removes some of what an experiment may have very many of: points first, then events. */
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
    const sql = "SELECT 1 FROM tasks WHERE artifact_id = ? LIMIT 1";
    return this.#file.get(sql, artifactId) !== undefined;
  }

  #addLeftover(kind: "artifact" | "task", id: string): void {
    this.#file.run(
      "INSERT INTO leftovers (kind, id) VALUES (?, ?) ON CONFLICT DO NOTHING",
      kind,
      id,
    );
  }
}
