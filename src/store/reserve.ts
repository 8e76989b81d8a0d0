import { randomBytes } from "node:crypto";
import { rmSync, statSync, writeFileSync } from "node:fs";
import { storageFailure } from "./storage-failure.js";

/** For the log of a removal in pieces, and for the growth of the database by what its log holds. */
const RESERVE_BYTES = 4 << 20;
/** What is kept where the disk is full is a multiple of it. */
const STEP_BYTES = 512 << 10;
/** What a start writes: keys of its session, its address, tasks that are queued again. */
const START_BYTES = 64 << 10;

/** File systems that compress would keep no room for zeros. */
let content: Buffer | undefined;

/**
 * `HOME/reserve`: room on the disk that is given up when there is no other, so that an experiment
 * can be removed, and a home be opened, with a full disk.
 */
export class Reserve {
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
  }

  /** Takes all of the room where it is not taken. Throws StorageFault or EXHAUSTED. */
  keep(): void {
    this.#take(RESERVE_BYTES);
  }

  /** Takes as much of it as there is. Throws StorageFault or EXHAUSTED where that is too little. */
  keepWhatFits(): void {
    for (let bytes = RESERVE_BYTES; bytes > STEP_BYTES; bytes -= STEP_BYTES) {
      try {
        this.#take(bytes);
        return;
      } catch {
        // Perhaps a little less of it fits.
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

  /** Gives the room up. */
  giveUp(): void {
    rmSync(this.#path, { force: true });
  }

  /** Gives it up where the disk has no room for a start. */
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
