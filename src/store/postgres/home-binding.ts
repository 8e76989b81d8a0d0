import { randomUUID } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { environment } from "../../errors.js";
import type { HomePaths } from "../home.js";
import type { SqlDatabase } from "../sql-database.js";
import { storageFailure } from "../storage-failure.js";
import { FUNCTIONS } from "./sql.js";

/** Any number that other programs do not use. */
const LOCK = 7_455_364_012;

const TABLES = `
CREATE TABLE stillhouse (
  -- Of the tables; 0 before there are any.
  version INTEGER NOT NULL,
  -- The home folder that holds this id goes with the database.
  id TEXT NOT NULL
);
CREATE TABLE leadership (
  -- Counts leaders; the present one's number fences off those before it.
  epoch INTEGER NOT NULL,
  holder TEXT NOT NULL,
  -- By the clock of the server.
  until TIMESTAMPTZ NOT NULL
);
INSERT INTO leadership (epoch, holder, until) VALUES (0, '', to_timestamp(0));
`;

/**
 * Ties a database and the home folder with its artifacts together, and creates what a leader is
 * chosen with. Control planes that take turns need the same folder; another one would lack the
 * artifacts of all that is stored.
 *
 * @throws ENVIRONMENT where one of the two belongs to something else
 */
export function bindHome(database: SqlDatabase, paths: HomePaths): void {
  if (existsSync(paths.database)) {
    throw environment(
      `the experiments of ${paths.home} are in its stillhouse.db; choose an empty folder with --home, or leave --store away`,
    );
  }
  database.transaction(() => {
    database.exec(`SELECT pg_advisory_xact_lock(${LOCK})`);
    const ofHome = idOf(paths);
    const ofDatabase = storedId(database);
    if (ofDatabase === undefined) create(database, paths, ofHome);
    else if (ofHome === undefined) throw otherHome(database, paths);
    else if (ofHome !== ofDatabase) throw otherDatabase(database, paths);
  });
}

/** Whether the experiments of a home are in PostgreSQL. */
export function isInPostgres(paths: Pick<HomePaths, "postgres">): boolean {
  return existsSync(paths.postgres);
}

function idOf({ postgres }: HomePaths): string | undefined {
  return existsSync(postgres) ? readFileSync(postgres, "utf8").trim() : undefined;
}

function storedId(database: SqlDatabase): string | undefined {
  const tables = database.all(
    "SELECT 1 FROM pg_tables WHERE tablename = 'stillhouse' AND schemaname = current_schema()",
  );
  if (tables.length === 0) return undefined;
  return database.get<{ id: string }>("SELECT id FROM stillhouse")?.id;
}

function create(database: SqlDatabase, paths: HomePaths, ofHome: string | undefined): void {
  if (ofHome !== undefined) throw otherDatabase(database, paths);
  const id = randomUUID();
  database.exec(TABLES);
  database.exec(FUNCTIONS);
  database.run("INSERT INTO stillhouse (version, id) VALUES (0, ?)", id);
  try {
    writeFileSync(paths.postgres, `${id}\n`, { flush: true });
  } catch (error) {
    throw storageFailure(error, paths.postgres);
  }
}

function otherHome({ name }: SqlDatabase, { home }: HomePaths) {
  return environment(
    `${name} belongs to another home folder than ${home}: all its control planes need the same one, on a file system that they share; name it with --home`,
  );
}

function otherDatabase({ name }: SqlDatabase, { home, postgres }: HomePaths) {
  return environment(
    `${home} belongs to another database than ${name}; name that one with --store, choose another --home, or remove ${postgres} to give up what the other one holds`,
  );
}
