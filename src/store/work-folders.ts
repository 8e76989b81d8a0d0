import { mkdirSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { WorkFolders } from "../experiment/ports.js";
import { storageFailure } from "./storage-failure.js";

/** `HOME/work/TASK_ID/`: the checkpoints of a task, until it is done. */
export class LocalWorkFolders implements WorkFolders {
  readonly #root: string;

  constructor(root: string) {
    this.#root = root;
  }

  prepare(taskId: string): string {
    const folder = join(this.#root, taskId);
    try {
      mkdirSync(folder, { recursive: true });
    } catch (error) {
      throw storageFailure(error, folder);
    }
    return folder;
  }

  remove(taskId: string): void {
    rmSync(join(this.#root, taskId), { recursive: true, force: true });
  }

  /** Removes what a killed control plane left of tasks that are done. */
  sweep(isDone: (taskId: string) => boolean): void {
    for (const taskId of readdirSync(this.#root).filter(isDone)) this.remove(taskId);
  }
}
