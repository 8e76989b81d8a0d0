import { isFull } from "../experiment/domain/storage-fault.js";
import type { SqlFile } from "./database.js";
import type { Reserve } from "./reserve.js";

/**
 * Lets a database be made emptier with a full disk. Every change is written to the log of the
 * database first, which then has no room to grow.
 */
export class RemovalRoom {
  readonly #file: SqlFile;
  readonly #reserve: Reserve;

  constructor(file: SqlFile, reserve: Reserve) {
    this.#file = file;
    this.#reserve = reserve;
  }

  /**
   * Does what removes rows. Where the disk is full, what the log holds is moved into the database,
   * into room that the reserve gives, and the log is written from its start again.
   *
   * @param removal all of it, as one change
   * @param piece removes a little of the same, so that the log stays short; called until it has
   *   removed nothing
   * @throws StorageFault where even that needs more room than there is
   */
  remove(removal: () => void, piece: () => { changes: number } = () => ({ changes: 0 })): void {
    try {
      removal();
      return;
    } catch (thrown) {
      if (!isFull(thrown)) throw thrown;
    }
    this.#reserve.giveUp();
    this.#emptyLog();
    while (piece().changes > 0) this.#emptyLog();
    removal();
    this.#emptyLog();
  }

  #emptyLog(): void {
    try {
      this.#file.pragma("wal_checkpoint(TRUNCATE)");
    } catch (thrown) {
      // What is being removed may fit into the log all the same.
      if (!isFull(thrown)) throw thrown;
    }
  }
}
