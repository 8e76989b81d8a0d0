import Database from "libsql";
import type { SqlDatabase, SqlValue } from "./sql-database.js";
import { storageFailure } from "./storage-failure.js";

/**
 * A SQLite file that caches its prepared statements.
 *
 * It hides two pitfalls of libsql: a single bound value must be in an array (a lone Buffer aborts
 * the process), and `all` returns a blob as ArrayBuffer where `get` returns a Buffer. All errors
 * are StillhouseErrors.
 */
export class SqlFile implements SqlDatabase {
  readonly dialect = "sqlite";
  readonly name: string;
  readonly #database: Database.Database;
  readonly #statements = new Map<string, ReturnType<Database.Database["prepare"]>>();

  constructor(path: string) {
    this.name = path;
    this.#database = this.#try(() => new Database(path));
  }

  run(sql: string, ...values: SqlValue[]): { changes: number } {
    return this.#try(() => this.#prepared(sql).run(values));
  }

  get<Row>(sql: string, ...values: SqlValue[]): Row | undefined {
    return this.#try(() => this.#prepared(sql).get(values) as Row | undefined);
  }

  all<Row>(sql: string, ...values: SqlValue[]): Row[] {
    return this.#try(() => this.#prepared(sql).all(values) as Row[]);
  }

  exec(sql: string): void {
    this.#try(() => this.#database.exec(sql));
  }

  pragma(name: string): unknown {
    const rows = this.#try(() => this.#database.pragma(name)) as Record<string, unknown>[];
    return Object.values(rows[0] ?? {})[0];
  }

  transaction<Result>(action: () => Result): Result {
    if (this.#database.inTransaction) return action();
    this.exec("BEGIN IMMEDIATE");
    try {
      const result = action();
      this.exec("COMMIT");
      return result;
    } catch (error) {
      this.#rollback();
      throw error;
    }
  }

  schemaVersion(): number {
    return Number(this.pragma("user_version"));
  }

  setSchemaVersion(version: number): void {
    this.exec(`PRAGMA user_version = ${version}`);
  }

  /** Writes the version of the tables once more. */
  assertWritable(): void {
    this.transaction(() => this.setSchemaVersion(this.schemaVersion()));
  }

  close(): void {
    this.#statements.clear();
    this.#database.close();
  }

  /** SQLite has rolled back by itself after some errors, such as a full disk. */
  #rollback(): void {
    if (this.#database.inTransaction) this.exec("ROLLBACK");
  }

  #prepared(sql: string) {
    const statement = this.#statements.get(sql) ?? this.#database.prepare(sql);
    this.#statements.set(sql, statement);
    return statement;
  }

  #try<Result>(action: () => Result): Result {
    try {
      return action();
    } catch (error) {
      throw storageFailure(error, this.name);
    }
  }
}
