import { randomBytes } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import type { LaunchStore, StoredLaunch } from "../experiment/domain/launcher-ports.js";
import type { SqlDatabase } from "./sql-database.js";
import { storageFailure } from "./storage-failure.js";

interface Row {
  launch_id: string;
  pool: string;
  device: string;
  num_devices: number;
  memory_bytes: number;
}

/** The launches of a home that may be alive, in SQLite. */
export class SqliteLaunchStore implements LaunchStore {
  readonly #file: SqlDatabase;
  readonly #planeFile: string;
  #planeId = "";

  /** @param planeFile with the id of the home; a backup leaves it out */
  constructor(file: SqlDatabase, planeFile: string) {
    this.#file = file;
    this.#planeFile = planeFile;
  }

  /** Made when it is first asked for. Throws StorageFault where it cannot be kept. */
  get planeId(): string {
    if (this.#planeId !== "") return this.#planeId;
    this.#planeId = readId(this.#planeFile) ?? makeId(this.#planeFile);
    return this.#planeId;
  }

  add({ launchId, pool, device, numDevices, memoryBytes }: StoredLaunch): void {
    this.#file.run(
      `INSERT INTO launches (launch_id, pool, device, num_devices, memory_bytes)
       VALUES (?, ?, ?, ?, ?)`,
      ...[launchId, pool, device, numDevices, memoryBytes],
    );
  }

  remove(launchId: string): void {
    this.#file.run("DELETE FROM launches WHERE launch_id = ?", launchId);
  }

  all(): StoredLaunch[] {
    return this.#file.all<Row>("SELECT * FROM launches ORDER BY rowid").map((row) => ({
      launchId: row.launch_id,
      pool: row.pool,
      device: row.device,
      numDevices: row.num_devices,
      memoryBytes: row.memory_bytes,
    }));
  }
}

/** What is not an id, as after a power failure, is none. */
function readId(path: string): string | undefined {
  const text = existsSync(path) ? readFileSync(path, "utf8").trim() : "";
  return /^[0-9a-f]{8}$/.test(text) ? text : undefined;
}

function makeId(path: string): string {
  const id = randomBytes(4).toString("hex");
  try {
    writeFileSync(path, `${id}\n`, { flush: true });
  } catch (error) {
    throw storageFailure(error, path);
  }
  return id;
}
