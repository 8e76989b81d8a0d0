import type { WorkerIdStore } from "../experiment/domain/storage-ports.js";
import type { SqlDatabase } from "./sql-database.js";

/** Most ids per key; with a new name at every start, the oldest ids become free. */
const MAX_IDS_PER_KEY = 1_000;
/** More than there are ids; an offset needs a limit before it. */
const ALL = 1_000_000_000;
/** A day: noting more often that an id is in use is not worth a write. */
const USE_RESOLUTION_MS = 86_400_000;

/** The worker ids of each key, in SQLite. */
export class SqliteWorkerIdStore implements WorkerIdStore {
  readonly #file: SqlDatabase;
  readonly #maxIdsPerKey: number;

  constructor(file: SqlDatabase, maxIdsPerKey = MAX_IDS_PER_KEY) {
    this.#file = file;
    this.#maxIdsPerKey = maxIdsPerKey;
  }

  ownerOf(workerId: string): string | undefined {
    return this.#row(workerId)?.owner;
  }

  claim(workerId: string, owner: string, now: Date): void {
    const nowMs = now.getTime();
    const row = this.#row(workerId);
    if (row?.owner === owner && Math.abs(nowMs - row.used_ms) < USE_RESOLUTION_MS) return;
    this.#file.transaction(() => {
      this.#file.run(
        `INSERT INTO worker_ids (worker_id, owner, used_ms) VALUES (?, ?, ?)
         ON CONFLICT (worker_id) DO UPDATE SET owner = excluded.owner, used_ms = excluded.used_ms`,
        ...[workerId, owner, nowMs],
      );
      this.#file.run(
        `DELETE FROM worker_ids WHERE worker_id IN (
           SELECT worker_id FROM worker_ids WHERE owner = ?
           ORDER BY used_ms DESC, worker_id LIMIT ${ALL} OFFSET ?)`,
        ...[owner, this.#maxIdsPerKey],
      );
    });
  }

  #row(workerId: string): { owner: string; used_ms: number } | undefined {
    return this.#file.get("SELECT owner, used_ms FROM worker_ids WHERE worker_id = ?", workerId);
  }
}
