import { isFull } from "../experiment/domain/storage-fault.js";
import type { SqlFile } from "./database.js";
import type { Reserve } from "./reserve.js";

/**
 * Makes removals from a database possible on a full disk. Every change is first written to the log
 * of the database, which then has no room to grow.
 */
export class RemovalRoom {
  readonly #file: SqlFile;
  readonly #reserve: Reserve;

  constructor(file: SqlFile, reserve: Reserve) {
    this.#file = file;
    this.#reserve = reserve;
  }

  /**
   * Removes rows. If the disk is full, the reserve is given up, the content of the log is moved
   * into the database, and the log is written from its start again.
   *
   * @param removal the whole removal, as one change
   * @param piece removes a small part of it, so that the log stays short; called until it has
   *   nothing left to remove
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
      // The removal may still fit into the log.
      if (!isFull(thrown)) throw thrown;
    }
  }
}
