import type { LeaseStore } from "../experiment/domain/storage-ports.js";
import { bytesOf, type SqlDatabase } from "./sql-database.js";

/** Hashes of the secrets of leases in SQLite. */
export class SqliteLeaseStore implements LeaseStore {
  readonly #file: SqlDatabase;

  /**
   * @param file a connection that does not wait for the disk: the change of the experiment follows,
   *   and when that is on the disk, so is everything before it in the log
   */
  constructor(file: SqlDatabase) {
    this.#file = file;
  }

  keepSecret(taskId: string, attempt: number, sha256: Uint8Array): void {
    this.#file.run(
      `INSERT INTO lease_secrets (task_id, attempt, sha256) VALUES (?, ?, ?)
       ON CONFLICT (task_id, attempt) DO UPDATE SET sha256 = excluded.sha256`,
      taskId,
      attempt,
      sha256,
    );
  }

  findSecret(taskId: string, attempt: number): Uint8Array | undefined {
    const row = this.#file.get<{ sha256: Uint8Array }>(
      "SELECT sha256 FROM lease_secrets WHERE task_id = ? AND attempt = ?",
      taskId,
      attempt,
    );
    return row && bytesOf(row.sha256);
  }
}
