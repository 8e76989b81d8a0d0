import Database from "libsql";
import { storageFailure } from "./storage-failure.js";

export type SqlValue = string | number | bigint | Uint8Array | null;

/**
 * A SQLite file that caches its prepared statements.
 *
 * It hides two pitfalls of libsql: a single bound value must be in an array (a lone Buffer aborts
 * the process), and `all` returns a blob as ArrayBuffer where `get` returns a Buffer. All errors
 * are StillhouseErrors.
 */
export class SqlFile {
  readonly path: string;
  readonly #database: Database.Database;
  readonly #statements = new Map<string, ReturnType<Database.Database["prepare"]>>();

  constructor(path: string) {
    this.path = path;
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

  /** Runs `action` in one transaction, the caller's if there is one: all is stored or nothing. */
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
      throw storageFailure(error, this.path);
    }
  }
}

/** A blob of a row as bytes, in whichever of the two types libsql returns it. */
export function bytesOf(blob: ArrayBuffer | Uint8Array): Uint8Array {
  return blob instanceof Uint8Array ? blob : new Uint8Array(blob);
}
