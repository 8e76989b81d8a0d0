import { setTimeout as sleep } from "node:timers/promises";
import type { Log } from "../experiment/domain/ports.js";
import { type Environment, ProcessGroup } from "./process-group.js";
import { workerCommand } from "./worker-command.js";

export interface SupervisedWorkerOptions {
  readonly pythonPath: string;
  readonly env: Environment;
  /** Of `python -m stillhouse_worker worker`. */
  readonly flags: readonly string[];
  readonly log: Log;
  /** Pause before the first new start; each one that follows soon doubles it. */
  readonly firstPauseMs?: number;
}

const FIRST_PAUSE_MS = 1_000;
const LONGEST_PAUSE_MS = 60_000;
/** A process that ran this long counts as healthy. */
const WELL_AFTER_MS = 60_000;
/** Exit code for faults that no restart can repair, such as a missing device. */
const USAGE = 2;

/** A worker process that is started again when it dies, until it ends by itself or is stopped. */
export class SupervisedWorker {
  /** Resolves with the exit code to pass on: 0 when it ended in order. */
  readonly ended: Promise<number>;
  readonly #options: SupervisedWorkerOptions;
  readonly #stopping = new AbortController();
  #process: ProcessGroup | undefined;

  constructor(options: SupervisedWorkerOptions) {
    this.#options = options;
    this.ended = this.#run();
  }

  /** SIGTERM, time for a checkpoint, SIGKILL. */
  async stop(graceMs: number): Promise<void> {
    this.#stopping.abort();
    await this.#process?.stop(graceMs);
  }

  kill(): void {
    this.#stopping.abort();
    this.#process?.signal("SIGKILL");
  }

  async #run(): Promise<number> {
    const { pythonPath, env, flags, log, firstPauseMs = FIRST_PAUSE_MS } = this.#options;
    let pauseMs = firstPauseMs;
    while (!this.#stopping.signal.aborted) {
      const startMs = performance.now();
      this.#process = new ProcessGroup(pythonPath, workerCommand(flags), env, undefined);
      const reason = await this.#process.ended;
      const { exitCode, pid } = this.#process.child;
      if (exitCode === 0 || exitCode === USAGE || pid === undefined) {
        if (pid === undefined) log.error(`the worker cannot be started: ${reason}`);
        return exitCode ?? 1;
      }
      if (this.#stopping.signal.aborted) break;
      if (performance.now() - startMs > WELL_AFTER_MS) pauseMs = firstPauseMs;
      log.warn(`a worker ended, ${reason}; it is started again in ${pauseMs / 1000} s`);
      await sleep(pauseMs, undefined, { signal: this.#stopping.signal }).catch(() => undefined);
      pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS);
    }
    return 0;
  }
}
