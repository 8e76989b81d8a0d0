import { readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { z } from "zod";
import { StillhouseError } from "../errors.js";
import { isFull } from "../experiment/domain/storage-fault.js";
import { SqlFile } from "./database.js";
import type { HomePaths } from "./home.js";
import { Reserve } from "./reserve.js";
import { storageFailure } from "./storage-failure.js";

const serverSchema = z.object({
  address: z.string().min(1),
  pid: z.number().int().positive(),
  /** Folder of keys for clients on this machine. */
  keys: z.string(),
});

/** How to reach the control plane of a home. */
export type ServerRecord = z.infer<typeof serverSchema>;

/** The right to run a control plane. */
export interface PlaneLock {
  /**
   * Publishes the control plane's address for other processes, which see all of it or nothing.
   *
   * @param keys folder of keys for clients on this machine; empty for none
   */
  announce(address: string, keys?: string): void;
  /** Withdraws the address: the control plane no longer answers, but still holds the home. */
  withdraw(): void;
  release(): void;
}

/**
 * The right to run the control plane of a home. It is an exclusive transaction on a SQLite file of
 * its own: the kernel releases it when the process ends, however it ends, so it is never stale.
 */
export class HomeLock implements PlaneLock {
  readonly #paths: HomePaths;
  readonly #file: SqlFile;

  private constructor(paths: HomePaths, file: SqlFile) {
    this.#paths = paths;
    this.#file = file;
  }

  /** The lock, or undefined when another process (or another owner in this one) holds it. */
  static take(paths: HomePaths): HomeLock | undefined {
    const file = new SqlFile(paths.lock);
    try {
      begin(file, paths);
    } catch (error) {
      file.close();
      if (isBusy(error)) return undefined;
      throw error;
    }
    // A process that was killed leaves its address behind.
    rmSync(paths.server, { force: true });
    return new HomeLock(paths, file);
  }

  announce(address: string, keys = ""): void {
    const temporary = `${this.#paths.server}.tmp`;
    const record: ServerRecord = { address, pid: process.pid, keys };
    try {
      writeFileSync(temporary, `${JSON.stringify(record)}\n`, { mode: 0o600 });
      renameSync(temporary, this.#paths.server);
    } catch (error) {
      throw storageFailure(error, this.#paths.server);
    }
  }

  withdraw(): void {
    rmSync(this.#paths.server, { force: true });
  }

  release(): void {
    this.withdraw();
    this.#file.exec("ROLLBACK");
    this.#file.close();
  }
}

/** The record of the control plane that runs on a home, once it has announced itself. */
export function readServerRecord(paths: HomePaths): ServerRecord | undefined {
  try {
    return serverSchema.parse(JSON.parse(readFileSync(paths.server, "utf8")));
  } catch {
    // The file does not exist yet or holds no record; the caller tries again for some time.
    return undefined;
  }
}

/** On a full disk, the reserve is given up first. */
function begin(file: SqlFile, { reserve }: HomePaths): void {
  try {
    file.exec("BEGIN EXCLUSIVE");
  } catch (error) {
    if (!isFull(error)) throw error;
    new Reserve(reserve).giveUp();
    file.exec("BEGIN EXCLUSIVE");
  }
}

function isBusy(error: unknown): boolean {
  if (!(error instanceof StillhouseError)) return false;
  const cause = error.cause;
  return cause instanceof Error && "code" in cause && cause.code === "SQLITE_BUSY";
}
