import type { SqlDatabase, SqlValue } from "../sql-database.js";
import { leadershipLost, postgresFailure, storedAfterAll } from "./failure.js";
import type { Answer, Fault, PostgresLink, Question } from "./link.js";
import { tablesForPostgres, withPlaces } from "./sql.js";
import { isUnanswered } from "./unanswered.mjs";

/** How long a commit waits to learn what became of it. */
const PATIENCE_MS = 3_000;
const POLL_MS = 100;

interface Open {
  /** Of the connection that it is on. */
  readonly generation: number;
  /** Number of the transaction on the server. */
  readonly transactionId: string;
}

/**
 * The database of a control plane on PostgreSQL. Once it has a fence, every transaction that writes
 * first locks the row of the leadership, so that nothing is stored for a leader of the past.
 */
export class PostgresDatabase implements SqlDatabase {
  readonly dialect = "postgres";
  readonly name: string;
  readonly #link: PostgresLink;
  readonly #waitsForDisk: boolean;
  /** With PostgreSQL's places, by those with SQLite's. */
  readonly #statements = new Map<string, string>();
  #open: Open | undefined;
  #epoch: number | undefined;
  /** Transactions whose commit was not answered. */
  #unsettled: string | undefined;

  /**
   * @param waitsForDisk whether a commit is on the disk when it returns; if not, it is there before
   *   any later commit that waits
   */
  constructor(name: string, link: PostgresLink, { waitsForDisk = true } = {}) {
    this.name = name;
    this.#link = link;
    this.#waitsForDisk = waitsForDisk;
  }

  /** From now on writes only as the leader of this epoch. */
  fence(epoch: number): void {
    this.#epoch = epoch;
  }

  run(sql: string, ...values: SqlValue[]): { changes: number } {
    const { changes = 0 } = this.transaction(() => this.#query(sql, values));
    return { changes };
  }

  get<Row>(sql: string, ...values: SqlValue[]): Row | undefined {
    return this.all<Row>(sql, ...values)[0];
  }

  all<Row>(sql: string, ...values: SqlValue[]): Row[] {
    this.#settle();
    return [...((this.#query(sql, values).rows ?? []) as Row[])];
  }

  exec(sql: string): void {
    this.transaction(() => this.#ask({ sql: tablesForPostgres(sql) }));
  }

  transaction<Result>(action: () => Result): Result {
    if (this.#open) return action();
    this.#settle();
    this.#open = this.#begin();
    try {
      const result = action();
      this.#commit(this.#open);
      return result;
    } catch (error) {
      if (this.#open) this.#link.ask({ sql: "ROLLBACK", generation: this.#open.generation });
      throw error;
    } finally {
      this.#open = undefined;
    }
  }

  schemaVersion(): number {
    return this.get<{ version: number }>("SELECT version FROM stillhouse")?.version ?? 0;
  }

  setSchemaVersion(version: number): void {
    this.run("UPDATE stillhouse SET version = ?", version);
  }

  assertWritable(): void {
    this.run("UPDATE stillhouse SET version = version");
  }

  close(): void {
    this.#statements.clear();
  }

  #begin(): Open {
    const ofLeader = `FROM leadership WHERE epoch = ${this.#epoch} FOR SHARE`;
    const { rows = [], generation = 0 } = this.#ask({
      sql: [
        "BEGIN",
        ...(this.#waitsForDisk ? [] : ["SET LOCAL synchronous_commit = off"]),
        `SELECT pg_current_xact_id()::text AS id ${this.#epoch === undefined ? "" : ofLeader}`,
      ].join("; "),
    });
    const [row] = rows as { id: string }[];
    if (row) return { generation, transactionId: row.id };
    this.#link.ask({ sql: "ROLLBACK", generation });
    throw leadershipLost(this.name);
  }

  #commit({ generation, transactionId }: Open): void {
    const { error, command } = this.#link.ask({ sql: "COMMIT", generation });
    this.#open = undefined;
    if (!error && command === "COMMIT") return;
    if (!error) throw new Error(`the transaction ended with ${command}`);
    if (isUnanswered(error)) {
      this.#unsettled = transactionId;
      if (this.#becameOf(transactionId)) return;
    }
    throw postgresFailure(error, this.name);
  }

  /** Waits for a while. @returns whether it was stored; undefined where that is not known yet */
  #becameOf(transactionId: string): boolean | undefined {
    const deadlineMs = performance.now() + PATIENCE_MS;
    do {
      const status = this.#statusOf(transactionId);
      if (status === "committed" || status === "aborted") {
        this.#unsettled = undefined;
        return status === "committed";
      }
      this.#link.pause(POLL_MS);
    } while (performance.now() < deadlineMs);
    return undefined;
  }

  /** Of another connection than the one that was lost. */
  #statusOf(transactionId: string): string | undefined {
    const sql = `SELECT pg_xact_status('${transactionId}'::xid8) AS status`;
    const [row] = (this.#link.ask({ sql }).rows ?? []) as { status: string }[];
    return row?.status;
  }

  /**
   * Learns what became of a transaction whose commit was not answered, before anything else is done:
   * its caller took it for not stored.
   */
  #settle(): void {
    if (this.#unsettled === undefined) return;
    const status = this.#statusOf(this.#unsettled);
    if (status === "committed") throw storedAfterAll(this.name);
    if (status !== "aborted") throw postgresFailure(UNSETTLED, this.name);
    this.#unsettled = undefined;
  }

  #query(sql: string, values: readonly SqlValue[]): Answer {
    const translated = this.#statements.get(sql) ?? withPlaces(sql);
    this.#statements.set(sql, translated);
    return this.#ask({ sql: translated, values: values.map(asStored) });
  }

  #ask(question: Omit<Question, "id" | "generation">): Answer {
    const answer = this.#link.ask({ ...question, generation: this.#open?.generation });
    if (!answer.error) return answer;
    // The server has given up the transaction, or the connection is no more.
    if (isUnanswered(answer.error)) this.#open = undefined;
    throw postgresFailure(answer.error, this.name);
  }
}

const UNSETTLED: Fault = { message: "the outcome of a commit is not known yet", code: "08007" };

/**
 * A value that is no number is NULL, as SQLite stores it. No text can contain the character NUL; the
 * texts are for searching, and what they are taken from is stored as bytes.
 */
function asStored(value: SqlValue): SqlValue {
  if (typeof value === "string") return value.replaceAll("\0", "\u2400");
  return typeof value === "number" && Number.isNaN(value) ? null : value;
}
