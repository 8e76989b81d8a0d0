import { randomBytes } from "node:crypto";
import { existsSync, readdirSync, renameSync, rmSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { makeFolder } from "../make-folder.js";

/** With retries, since another process may still write into a folder that is being removed. */
const REMOVAL = { recursive: true, force: true, maxRetries: 3, retryDelay: 100 } as const;

/**
 * `HOME/trash/`: files and folders to remove are moved here, which takes no time and cannot fail
 * half-way, and then removed in the background. `empty` tries again what could not be removed.
 */
export class Trash {
  readonly #folder: string;
  readonly #removing = new Map<string, Promise<void>>();
  readonly #onFault: (sentence: string) => void;
  readonly #toldOf = new Set<string>();

  /** @param onFault is called with a sentence on what cannot be moved or removed at present */
  constructor(folder: string, onFault: (sentence: string) => void = () => undefined) {
    this.#folder = folder;
    this.#onFault = onFault;
  }

  /**
   * Moves a file or folder out of the way. Does not throw.
   *
   * @returns whether the path no longer exists
   */
  discard(path: string): boolean {
    const name = randomBytes(8).toString("hex");
    try {
      makeFolder(this.#folder);
      renameSync(path, join(this.#folder, name));
    } catch {
      return this.#removedInPlace(path);
    }
    this.#remove(name);
    return true;
  }

  /** Removes everything in the trash, including what an earlier process left. Does not throw. */
  empty(): void {
    try {
      for (const name of readdirSync(this.#folder)) this.#remove(name);
    } catch {
      // The folder does not exist before something is discarded; other faults show at the next call.
    }
  }

  /** Resolves when nothing is being removed. */
  async settled(): Promise<void> {
    await Promise.all(this.#removing.values());
  }

  /** For paths on another file system, or a disk without room for a folder. */
  #removedInPlace(path: string): boolean {
    try {
      rmSync(path, { recursive: true, force: true });
    } catch (error) {
      this.#tell(path, error as Error);
    }
    return !existsSync(path);
  }

  #remove(name: string): void {
    if (this.#removing.has(name)) return;
    const path = join(this.#folder, name);
    const removal = rm(path, REMOVAL)
      .catch((error: Error) => this.#tell(path, error))
      .finally(() => this.#removing.delete(name));
    this.#removing.set(name, removal);
  }

  #tell(path: string, { message }: Error): void {
    if (this.#toldOf.has(path)) return;
    this.#toldOf.add(path);
    this.#onFault(`${path} cannot be removed at present; it is tried again later: ${message}`);
  }
}
