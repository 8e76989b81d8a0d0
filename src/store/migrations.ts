import type { TaskRecord } from "../experiment/domain/record.js";
import { withResult } from "../experiment/domain/resulted.js";
import { startable } from "../experiment/domain/startable.js";
import { Experiment, Task } from "../generated/stillhouse/v1/experiment.js";
import {
  artifactIdOf,
  deviceColumns,
  experimentColumns,
  taskColumns,
} from "./experiment-columns.js";
import type { SqlDatabase, SqlValue } from "./sql-database.js";
import { readMessage } from "./unreadable-row.js";

/** SQLite ends every index with the row number, so each index also gives the order of lists. */
export const ADDED_IN_VERSION_2 = `
CREATE INDEX experiments_state ON experiments (state);
CREATE INDEX experiments_owner ON experiments (owner);
CREATE INDEX experiments_sweep ON experiments (sweep_id) WHERE sweep_id <> '';
CREATE INDEX experiments_dataset ON experiments (dataset);
CREATE INDEX experiments_model ON experiments (model);
CREATE INDEX experiments_accuracy ON experiments (accuracy);
CREATE INDEX tasks_artifact ON tasks (artifact_id) WHERE artifact_id IS NOT NULL;

CREATE TABLE sweeps (
  number INTEGER PRIMARY KEY AUTOINCREMENT,
  id TEXT NOT NULL UNIQUE,
  request_id TEXT UNIQUE,
  message BLOB NOT NULL
) STRICT;

-- Folders of removed experiments that may still be there.
CREATE TABLE leftovers (
  kind TEXT NOT NULL,
  id TEXT NOT NULL,
  PRIMARY KEY (kind, id)
) STRICT, WITHOUT ROWID;
`;

/** A value that is no number (NaN) is NULL, as SQLite stores it. */
export const ADDED_IN_VERSION_3 = `
-- A metric of a task, with what is known of it without reading its points.
CREATE TABLE metric_series (
  id INTEGER PRIMARY KEY,
  task_id TEXT NOT NULL REFERENCES tasks (id),
  name TEXT NOT NULL,
  num_points INTEGER NOT NULL DEFAULT 0,
  greatest_step INTEGER NOT NULL DEFAULT -1,
  -- Of the point with the greatest step.
  last_step INTEGER,
  last_value REAL,
  min_step INTEGER,
  min_value REAL,
  max_step INTEGER,
  max_value REAL,
  UNIQUE (task_id, name)
) STRICT;

-- One value a step: of two attempts that computed it, the later one's.
CREATE TABLE metric_points (
  series INTEGER NOT NULL REFERENCES metric_series (id),
  step INTEGER NOT NULL,
  attempt INTEGER NOT NULL,
  sequence INTEGER NOT NULL,
  value REAL,
  time_ms INTEGER NOT NULL,
  PRIMARY KEY (series, step)
) STRICT, WITHOUT ROWID;
`;

export const ADDED_IN_VERSION_4 = `
-- What is known of steps 64 n to 64 n + 63 of a series without reading their points.
CREATE TABLE metric_blocks (
  series INTEGER NOT NULL REFERENCES metric_series (id),
  block INTEGER NOT NULL,
  num_points INTEGER NOT NULL,
  min_step INTEGER NOT NULL,
  min_value REAL,
  max_step INTEGER NOT NULL,
  max_value REAL,
  PRIMARY KEY (series, block)
) STRICT, WITHOUT ROWID;
`;

export const ADDED_IN_VERSION_5 = `
-- Of every attempt, since reports of earlier ones may come late. SHA-256 of random bits.
CREATE TABLE lease_secrets (
  task_id TEXT NOT NULL REFERENCES tasks (id) ON DELETE CASCADE,
  attempt INTEGER NOT NULL,
  sha256 BLOB NOT NULL,
  PRIMARY KEY (task_id, attempt)
) STRICT, WITHOUT ROWID;

-- By the key that first used the id.
CREATE TABLE worker_ids (
  worker_id TEXT PRIMARY KEY,
  owner TEXT NOT NULL,
  used_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX worker_ids_owner ON worker_ids (owner, used_ms);
`;

const BLOCKS_OF_VERSION_3 = `
INSERT INTO metric_blocks (series, block, num_points, min_step, min_value, max_step, max_value)
SELECT series, block, num_points, least.step, least.value, greatest.step, greatest.value
FROM (
  SELECT series, step / 64 AS block, count(*) AS num_points, step, min(value) AS value
  FROM metric_points GROUP BY series, step / 64
) AS least
JOIN (
  SELECT series, step / 64 AS block, step, max(value) AS value
  FROM metric_points GROUP BY series, step / 64
) AS greatest USING (series, block);
`;

const POINTS_OF_VERSION_2 = `
INSERT INTO metric_series
  (task_id, name, num_points, last_step, last_value, min_step, min_value, max_step, max_value)
SELECT task_id, name, num_points, last_step, last_value, min_step, min_value, max_step, max_value
FROM metric_summaries;

INSERT INTO metric_points (series, step, attempt, sequence, value, time_ms)
SELECT series.id, step, attempt, sequence, value, time_ms
FROM earlier_points JOIN metric_series AS series USING (task_id, name)
WHERE true ORDER BY attempt, sequence
ON CONFLICT (series, step) DO UPDATE SET attempt = excluded.attempt, sequence = excluded.sequence,
  value = excluded.value, time_ms = excluded.time_ms;

UPDATE metric_series SET
  num_points = (SELECT count(*) FROM metric_points WHERE series = metric_series.id),
  greatest_step = (SELECT coalesce(max(step), -1) FROM metric_points WHERE series = metric_series.id);

DROP TABLE earlier_points;
DROP TABLE metric_summaries;
`;

export const ADDED_IN_VERSION_7 = `
-- What engines were asked to start for this control plane, until it has ended.
CREATE TABLE launches (
  launch_id TEXT PRIMARY KEY,
  pool TEXT NOT NULL,
  device TEXT NOT NULL,
  num_devices INTEGER NOT NULL,
  memory_bytes INTEGER NOT NULL
) STRICT;
`;

/** The start of a control plane reads these alone, however many experiments there are. */
export const ADDED_IN_VERSION_8 = `
CREATE INDEX tasks_ready ON tasks (experiment_id, position, id, kind, cache_key, num_lost)
  WHERE is_ready = 1;
CREATE INDEX tasks_running ON tasks (experiment_id, kind) WHERE state = 'STATE_RUNNING';
CREATE INDEX tasks_awaiting ON tasks (cache_key) WHERE state = 'STATE_QUEUED';
CREATE INDEX tasks_queued ON tasks (kind) WHERE state = 'STATE_QUEUED';
`;

const COLUMNS_OF_VERSION_2 = `
ALTER TABLE experiments ADD COLUMN owner TEXT NOT NULL DEFAULT '';
ALTER TABLE experiments ADD COLUMN priority INTEGER NOT NULL DEFAULT 0;
ALTER TABLE experiments ADD COLUMN sweep_id TEXT NOT NULL DEFAULT '';
ALTER TABLE experiments ADD COLUMN dataset TEXT NOT NULL DEFAULT '';
ALTER TABLE experiments ADD COLUMN model TEXT NOT NULL DEFAULT '';
ALTER TABLE experiments ADD COLUMN search_text TEXT NOT NULL DEFAULT '';
ALTER TABLE experiments ADD COLUMN accuracy REAL NOT NULL DEFAULT -1;
ALTER TABLE tasks ADD COLUMN artifact_id TEXT;
`;

const COLUMNS_OF_VERSION_8 = `
ALTER TABLE experiments ADD COLUMN device TEXT NOT NULL DEFAULT 'cpu';
ALTER TABLE experiments ADD COLUMN num_devices INTEGER NOT NULL DEFAULT 1;
ALTER TABLE experiments ADD COLUMN memory_mib INTEGER NOT NULL DEFAULT 0;
ALTER TABLE tasks ADD COLUMN kind TEXT NOT NULL DEFAULT '';
ALTER TABLE tasks ADD COLUMN is_ready INTEGER NOT NULL DEFAULT 0;
`;

/** The migration from each version to the next. */
const STEPS: readonly ((file: SqlDatabase) => void)[] = [
  fromVersion1,
  fromVersion2,
  fromVersion3,
  fromVersion4,
  fromVersion5,
  fromVersion6,
  fromVersion7,
];

/** Migrates tables of an earlier version to the present one; call it within a transaction. */
export function migrate(file: SqlDatabase, version: number): void {
  for (const step of STEPS.slice(version - 1)) step(file);
}

/** Fills the new searchable columns from the stored messages. */
function fromVersion1(file: SqlDatabase): void {
  file.exec(COLUMNS_OF_VERSION_2);
  file.exec(ADDED_IN_VERSION_2);
  for (const { id, message } of rowsOf(file, "SELECT id, message FROM tasks")) {
    const task = readMessage(Task, message);
    const artifactId = typeof task === "string" ? null : artifactIdOf(task);
    file.run("UPDATE tasks SET artifact_id = ? WHERE id = ?", artifactId, id);
  }
  for (const { id, message } of rowsOf(file, "SELECT id, message FROM experiments")) {
    const tasks = taskRecordsOf(file, id);
    const experiment = readMessage(Experiment, message);
    if (typeof experiment === "string") continue;
    const columns = experimentColumns(withResult({ experiment, tasks, cancelRequested: false }));
    const { dataset, model, search_text, accuracy } = columns as Record<string, SqlValue>;
    file.run(
      "UPDATE experiments SET dataset = ?, model = ?, search_text = ?, accuracy = ? WHERE id = ?",
      ...[dataset ?? "", model ?? "", search_text ?? "", accuracy ?? -1, id],
    );
  }
}

function fromVersion2(file: SqlDatabase): void {
  file.exec("ALTER TABLE metric_points RENAME TO earlier_points");
  file.exec(ADDED_IN_VERSION_3);
  file.exec(POINTS_OF_VERSION_2);
}

function fromVersion3(file: SqlDatabase): void {
  file.exec(ADDED_IN_VERSION_4);
  file.exec(BLOCKS_OF_VERSION_3);
}

/** Running attempts get no secret, since their workers are of the earlier version too. */
function fromVersion4(file: SqlDatabase): void {
  file.exec(ADDED_IN_VERSION_5);
}

/** Stores experiments with their results, so that lists can return the bytes unchanged. */
function fromVersion5(file: SqlDatabase): void {
  for (const { id, message } of rowsOf(file, "SELECT id, message FROM experiments")) {
    const experiment = readMessage(Experiment, message);
    if (typeof experiment === "string") continue;
    const record = { experiment, tasks: taskRecordsOf(file, id), cancelRequested: false };
    const bytes = Experiment.encode(withResult(record).experiment).finish();
    file.run("UPDATE experiments SET message = ? WHERE id = ?", bytes, id);
  }
}

function fromVersion6(file: SqlDatabase): void {
  file.exec(ADDED_IN_VERSION_7);
}

/** Fills the new columns of what is unfinished; those of the rest are filled when it is resumed. */
function fromVersion7(file: SqlDatabase): void {
  file.exec(COLUMNS_OF_VERSION_8);
  file.exec(ADDED_IN_VERSION_8);
  const unfinished = file.all<{ id: string }>("SELECT id FROM experiments WHERE is_ended = 0");
  for (const { id } of unfinished) fillQueueColumns(file, id);
}

function fillQueueColumns(file: SqlDatabase, id: string): void {
  const row = file.get<{ message: Uint8Array; cancel_requested: number }>(
    "SELECT message, cancel_requested FROM experiments WHERE id = ?",
    id,
  );
  const experiment = row && readMessage(Experiment, row.message);
  if (experiment === undefined || typeof experiment === "string") return;
  const cancelRequested = row?.cancel_requested !== 0;
  const record = { experiment, tasks: taskRecordsOf(file, id), cancelRequested };
  const { device, num_devices, memory_mib } = deviceColumns(experiment);
  file.run(
    "UPDATE experiments SET device = ?, num_devices = ?, memory_mib = ? WHERE id = ?",
    ...[device, num_devices, memory_mib, id],
  );
  const canStart = startable(record);
  for (const { task } of record.tasks) {
    const { kind, is_ready } = taskColumns(task, canStart);
    file.run("UPDATE tasks SET kind = ?, is_ready = ? WHERE id = ?", kind, is_ready, task.id);
  }
}

function taskRecordsOf(file: SqlDatabase, experimentId: string): TaskRecord[] {
  return file
    .all<{ message: Uint8Array }>(
      "SELECT message FROM tasks WHERE experiment_id = ? ORDER BY position",
      experimentId,
    )
    .map((row) => readMessage(Task, row.message))
    .filter((task) => typeof task !== "string")
    .map((task) => ({ task, numLost: 0 }));
}

function rowsOf(file: SqlDatabase, sql: string): { id: string; message: Uint8Array }[] {
  return file.all(sql);
}
