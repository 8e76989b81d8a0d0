import type { StorageFault } from "../experiment/domain/storage-fault.js";
import type { HomePaths } from "./home.js";
import { checkInBackground, whenToCheck } from "./integrity.js";
import { RemovalRoom } from "./removal-room.js";
import type { Reserve } from "./reserve.js";
import { openDatabase, openForMetrics } from "./schema.js";
import type { SqlDatabase } from "./sql-database.js";

/** The connections of the stores of a control plane. */
export interface StoreDatabases {
  /** Experiments and all that is stored with them. */
  readonly main: SqlDatabase;
  readonly metrics: SqlDatabase;
  /** Of leases; what is stored here is on the disk before what `main` stores later. */
  readonly secrets: SqlDatabase;
  /** Where the database is on the disk of the home, room for removals when that is full. */
  readonly room?: RemovalRoom;
  /** Checks for damage what was too large to be checked when it was opened. */
  readonly check?: (signal: AbortSignal) => Promise<StorageFault | undefined>;
  close(): void;
}

/** The SQLite file of a home. */
export function sqliteDatabases(paths: HomePaths, reserve: Reserve): StoreDatabases {
  const isUnchecked = whenToCheck(paths.database) === "later";
  const main = openDatabase(paths.database);
  const metrics = openForMetrics(paths.database);
  return {
    ...{ main, metrics, secrets: metrics, room: new RemovalRoom(main, reserve) },
    ...(isUnchecked ? { check: (signal) => checkInBackground(paths.database, signal) } : {}),
    close: () => {
      metrics.close();
      try {
        main.pragma("wal_checkpoint(TRUNCATE)");
      } catch {
        // On a full disk, changes remain in the log beside the database, where the next start reads
        // them.
      }
      main.close();
    },
  };
}
