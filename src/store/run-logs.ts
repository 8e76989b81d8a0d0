import { appendFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import type { RunLog } from "../experiment/domain/ports.js";
import type { Event } from "../generated/stillhouse/v1/experiment.js";
import { makeFolder } from "../make-folder.js";
import type { Trash } from "./trash.js";

const NAME = "log.jsonl";

/**
 * `HOME/runs/EXPERIMENT_ID/log.jsonl`: the log lines of an experiment's workers and the states of
 * its tasks, one JSON object per line. It is a copy of the events, for people and tools that read
 * files; workers on this machine write TensorBoard event files beside it.
 */
export class RunLogs implements RunLog {
  readonly #root: string;
  readonly #trash: Trash;

  constructor(root: string, trash: Trash) {
    this.#root = root;
    this.#trash = trash;
  }

  folderOf(experimentId: string): string {
    const folder = join(this.#root, experimentId);
    try {
      makeFolder(folder);
      return folder;
    } catch {
      return "";
    }
  }

  note(event: Event): void {
    const said = saidBy(event);
    if (said === undefined) return;
    const { experimentId: experiment, taskId: task, time } = event;
    const line = { time: time?.toISOString(), experiment, ...(task ? { task } : {}), ...said };
    const folder = this.folderOf(experiment);
    if (folder === "") return;
    try {
      appendFileSync(join(folder, NAME), `${JSON.stringify(line)}\n`);
    } catch {
      // The events themselves are stored; a full disk is reported where results are stored.
    }
  }

  remove(experimentId: string): void {
    this.#trash.discard(join(this.#root, experimentId));
  }

  /** Removes the logs of deleted experiments that a killed control plane left behind. */
  sweep(exists: (experimentId: string) => boolean): void {
    for (const id of readdirSync(this.#root)) if (!exists(id)) this.remove(id);
  }
}

function saidBy({ kind }: Event): Record<string, unknown> | undefined {
  switch (kind?.$case) {
    case "log":
      return {
        time: kind.value.time?.toISOString(),
        level: wordOf(kind.value.level),
        message: kind.value.message,
      };
    case "task": {
      const { state, attempt, workerId, failure } = kind.value;
      const trouble = failure === undefined ? {} : { failure: failure.message };
      const place = { attempt, ...(workerId === "" ? {} : { worker: workerId }) };
      return { level: failure ? "warning" : "info", message: wordOf(state), ...place, ...trouble };
    }
    default:
      return undefined;
  }
}

/** "LOG_LEVEL_INFO" → "info". */
function wordOf(name: string): string {
  return name.replace(/^(LOG_LEVEL|STATE)_/, "").toLowerCase();
}
