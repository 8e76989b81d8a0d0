import { environment } from "../errors.js";
import { SqlFile } from "./database.js";
import { checkIntegrity, whenToCheck } from "./integrity.js";
import {
  ADDED_IN_VERSION_2,
  ADDED_IN_VERSION_3,
  ADDED_IN_VERSION_4,
  ADDED_IN_VERSION_5,
  ADDED_IN_VERSION_7,
  ADDED_IN_VERSION_8,
  migrate,
} from "./migrations.js";
import type { SqlDatabase } from "./sql-database.js";

/** Incremented with every change of the tables; a database stores the version of its own. */
const SCHEMA_VERSION = 8;

/**
 * Messages are stored as the bytes of their proto, beside columns for searching.
 * Times are milliseconds since 1970.
 */
const TABLES = `
CREATE TABLE experiments (
  number INTEGER PRIMARY KEY AUTOINCREMENT,
  id TEXT NOT NULL UNIQUE,
  request_id TEXT UNIQUE,
  state TEXT NOT NULL,
  is_ended INTEGER NOT NULL,
  cancel_requested INTEGER NOT NULL,
  message BLOB NOT NULL,
  owner TEXT NOT NULL DEFAULT '',
  priority INTEGER NOT NULL DEFAULT 0,
  sweep_id TEXT NOT NULL DEFAULT '',
  dataset TEXT NOT NULL DEFAULT '',
  model TEXT NOT NULL DEFAULT '',
  -- Id and name in lower case.
  search_text TEXT NOT NULL DEFAULT '',
  -- Mean test accuracy of the distilled data; -1 before there is one.
  accuracy REAL NOT NULL DEFAULT -1,
  -- What its tasks compute on: "cpu", "cuda" or "cuda:1"; CUDA devices of its distillation; memory.
  device TEXT NOT NULL DEFAULT 'cpu',
  num_devices INTEGER NOT NULL DEFAULT 1,
  memory_mib INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX experiments_unfinished ON experiments (number) WHERE is_ended = 0;

CREATE TABLE tasks (
  id TEXT PRIMARY KEY,
  experiment_id TEXT NOT NULL REFERENCES experiments (id),
  position INTEGER NOT NULL,
  state TEXT NOT NULL,
  attempt INTEGER NOT NULL,
  cache_key TEXT NOT NULL,
  num_lost INTEGER NOT NULL,
  message BLOB NOT NULL,
  -- What was distilled by it or for it.
  artifact_id TEXT,
  -- Such as "distill"; empty where the task ended before version 8.
  kind TEXT NOT NULL DEFAULT '',
  -- Whether it could start, as far as its experiment alone says.
  is_ready INTEGER NOT NULL DEFAULT 0,
  UNIQUE (experiment_id, position)
) STRICT;
CREATE INDEX tasks_results ON tasks (cache_key) WHERE cache_key <> '' AND state = 'STATE_SUCCEEDED';

CREATE TABLE events (
  experiment_id TEXT NOT NULL REFERENCES experiments (id),
  sequence INTEGER NOT NULL,
  message BLOB NOT NULL,
  PRIMARY KEY (experiment_id, sequence)
) STRICT, WITHOUT ROWID;
${ADDED_IN_VERSION_2}${ADDED_IN_VERSION_3}${ADDED_IN_VERSION_4}${ADDED_IN_VERSION_5}${ADDED_IN_VERSION_7}${ADDED_IN_VERSION_8}`;

/**
 * Opens the database of a home, creates its tables if there are none, and migrates those of an
 * earlier version.
 *
 * @throws ENVIRONMENT for a damaged file or one of a newer version
 */
export function openDatabase(path: string): SqlFile {
  const when = whenToCheck(path);
  const file = new SqlFile(path);
  try {
    // First, since a process that has just closed the file may still be writing its last pages.
    file.pragma("busy_timeout = 5000");
    file.pragma("journal_mode = WAL");
    file.pragma("foreign_keys = ON");
    file.pragma("synchronous = FULL");
    if (when === "now") checkIntegrity(file);
    prepareSchema(file);
    return file;
  } catch (error) {
    file.close();
    throw error;
  }
}

/**
 * Opens another connection to an open database, for metric points: a commit does not wait for the
 * disk, so the last points may be lost when the machine loses power, and only then.
 */
export function openForMetrics(path: string): SqlFile {
  const file = new SqlFile(path);
  file.pragma("busy_timeout = 5000");
  file.pragma("synchronous = NORMAL");
  return file;
}

/**
 * Creates the tables if there are none, and migrates those of an earlier version.
 *
 * @throws ENVIRONMENT for those of a newer version
 */
export function prepareSchema(database: SqlDatabase): void {
  database.transaction(() => {
    const version = database.schemaVersion();
    if (version === SCHEMA_VERSION) return;
    if (version > SCHEMA_VERSION) {
      throw environment(
        `${database.name} was written by a newer Stillhouse (its version is ${version}, this one knows ${SCHEMA_VERSION}); update Stillhouse or choose another home folder`,
      );
    }
    if (version === 0) database.exec(TABLES);
    else migrate(database, version);
    database.setSchemaVersion(SCHEMA_VERSION);
  });
}
