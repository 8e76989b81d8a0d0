import { appendFileSync, renameSync, rmSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { makeFolder } from "../make-folder.js";

const MAX_BYTES = 16 * 1024 * 1024;
const MAX_FILES = 5;

/** How large a log may become. */
export interface RotationLimits {
  /** Of one file. */
  readonly maxBytes?: number;
  /** The present one included. */
  readonly maxFiles?: number;
}

/**
 * A log of bounded size: where a file is full it becomes FILE.1, the one before FILE.2, and so on,
 * and the oldest is removed. Lines are on disk when `append` returns, since a process may be killed
 * in the next moment; streams that rotate files hold them back.
 */
export class RotatedFile {
  readonly #path: string;
  readonly #maxBytes: number;
  readonly #maxFiles: number;

  constructor(path: string, { maxBytes = MAX_BYTES, maxFiles = MAX_FILES }: RotationLimits = {}) {
    this.#path = path;
    this.#maxBytes = maxBytes;
    this.#maxFiles = maxFiles;
  }

  /** Throws what the file system throws. */
  append(text: string): void {
    makeFolder(dirname(this.#path));
    // Another process, such as npm run keys, may write to it as well.
    const size = statSync(this.#path, { throwIfNoEntry: false })?.size ?? 0;
    if (size > 0 && size + Buffer.byteLength(text) > this.#maxBytes) this.#rotate();
    appendFileSync(this.#path, text, { mode: 0o600 });
  }

  #rotate(): void {
    rmSync(`${this.#path}.${this.#maxFiles - 1}`, { force: true });
    for (let number = this.#maxFiles - 2; number >= 0; number--) {
      const from = number === 0 ? this.#path : `${this.#path}.${number}`;
      if (statSync(from, { throwIfNoEntry: false }))
        renameSync(from, `${this.#path}.${number + 1}`);
    }
  }
}
