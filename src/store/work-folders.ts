import { readdirSync } from "node:fs";
import { join } from "node:path";
import type { WorkFolders } from "../experiment/domain/ports.js";
import { makeFolder } from "../make-folder.js";
import { storageFailure } from "./storage-failure.js";
import type { Trash } from "./trash.js";

/** `HOME/work/TASK_ID/`: the checkpoints of a task, until it is done. */
export class LocalWorkFolders implements WorkFolders {
  readonly #root: string;
  readonly #trash: Trash;

  constructor(root: string, trash: Trash) {
    this.#root = root;
    this.#trash = trash;
  }

  prepare(taskId: string): string {
    const folder = join(this.#root, taskId);
    try {
      makeFolder(folder);
    } catch (error) {
      throw storageFailure(error, folder);
    }
    return folder;
  }

  remove(taskId: string): boolean {
    return this.#trash.discard(join(this.#root, taskId));
  }

  /** Removes the folders of finished tasks. */
  sweep(isDone: (taskId: string) => boolean): void {
    for (const taskId of readdirSync(this.#root).filter(isDone)) this.remove(taskId);
  }
}
