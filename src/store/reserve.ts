import { randomBytes } from "node:crypto";
import { rmSync, statSync, writeFileSync } from "node:fs";
import { storageFailure } from "./storage-failure.js";

/** Enough for the log of a removal in pieces, and for the database to take in the log. */
const RESERVE_BYTES = 4 << 20;
/** On a nearly full disk, the reserve is a multiple of this. */
const STEP_BYTES = 512 << 10;
/** What a start writes: keys of the session, its address, tasks that are queued again. */
const START_BYTES = 64 << 10;

/** Random, since a file system that compresses would reserve no room for zeros. */
let content: Buffer | undefined;

/**
 * `HOME/reserve`: disk space that is given up when there is no other, so that experiments can be
 * removed, and a home opened, on a full disk.
 */
export class Reserve {
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
  }

  /** Takes the whole reserve unless it is taken already. Throws StorageFault or EXHAUSTED. */
  keep(): void {
    this.#take(RESERVE_BYTES);
  }

  /** Takes as much as fits. Throws StorageFault or EXHAUSTED where that is too little. */
  keepWhatFits(): void {
    for (let bytes = RESERVE_BYTES; bytes > STEP_BYTES; bytes -= STEP_BYTES) {
      try {
        this.#take(bytes);
        return;
      } catch {
        // Perhaps a little less fits.
      }
    }
    this.#take(STEP_BYTES);
  }

  #take(bytes: number): void {
    if ((statSync(this.#path, { throwIfNoEntry: false })?.size ?? 0) >= bytes) return;
    content ??= randomBytes(RESERVE_BYTES);
    try {
      writeFileSync(this.#path, content.subarray(0, bytes), { mode: 0o600 });
    } catch (error) {
      this.giveUp();
      throw storageFailure(error, this.#path);
    }
  }

  /** Frees the reserved space. */
  giveUp(): void {
    rmSync(this.#path, { force: true });
  }

  /** Frees it if the disk has no room for a start. */
  giveUpIfNeeded(): void {
    const probe = `${this.#path}-probe`;
    try {
      writeFileSync(probe, Buffer.alloc(START_BYTES), { flush: true });
    } catch {
      this.giveUp();
    } finally {
      rmSync(probe, { force: true });
    }
  }
}
