import { randomBytes } from "node:crypto";
import { existsSync, readdirSync, renameSync, rmSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { makeFolder } from "../make-folder.js";

/** Another process may still write into what is removed. */
const REMOVAL = { recursive: true, force: true, maxRetries: 3, retryDelay: 100 } as const;

/**
 * `HOME/trash/`: what is no longer wanted is moved here, which takes no time and cannot fail half
 * way, and removed in the background. What cannot be removed is tried again by `empty`.
 */
export class Trash {
  readonly #folder: string;
  readonly #removing = new Map<string, Promise<void>>();
  readonly #onFault: (sentence: string) => void;
  readonly #toldOf = new Set<string>();

  /** @param onFault gets what cannot be moved or removed at present */
  constructor(folder: string, onFault: (sentence: string) => void = () => undefined) {
    this.#folder = folder;
    this.#onFault = onFault;
  }

  /**
   * Moves a file or folder out of the way. Throws nothing.
   *
   * @returns whether nothing is there any more
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

  /** Removes all that is here, also what an earlier process left. Throws nothing. */
  empty(): void {
    try {
      for (const name of readdirSync(this.#folder)) this.#remove(name);
    } catch {
      // It is not there before something is discarded; what else is wrong shows at the next.
    }
  }

  /** Resolves when nothing is being removed. */
  async settled(): Promise<void> {
    await Promise.all(this.#removing.values());
  }

  /** For what lies on another file system, or where the disk has no room for a folder. */
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
