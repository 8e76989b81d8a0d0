import { setTimeout as sleep } from "node:timers/promises";
import { LauncherLost } from "../experiment/domain/launcher-ports.js";
import type { Log } from "../experiment/domain/ports.js";
import { pythonModule } from "../setup/python-env.mjs";
import { logTail } from "./log-tail.js";
import { type Environment, ProcessGroup } from "./process-group.js";

export interface LauncherProcessOptions {
  readonly pythonPath: string;
  readonly env: Environment;
  /** What it prints. */
  readonly logPath: string;
  readonly log: Log;
  /** The first question to each new process. */
  readonly opening: () => object;
  /** What it says without being asked. */
  readonly onMessage: (message: object) => void;
  /** A new process has taken the first question. */
  readonly onOpened: () => void;
  /** Pause before the first new start; each one that follows soon doubles it. */
  readonly firstPauseMs?: number;
}

interface Answer {
  readonly id?: number;
  readonly ok?: unknown;
  readonly error?: string;
  readonly is_refusal?: boolean;
}

interface Waiter {
  resolve(value: unknown): void;
  reject(error: Error): void;
}

const FIRST_PAUSE_MS = 1_000;
const LONGEST_PAUSE_MS = 60_000;
/** A process that ran this long counts as healthy. */
const WELL_AFTER_MS = 60_000;
/** Time to answer what was asked before the end. */
const CLOSE_GRACE_MS = 10_000;

/**
 * The Python process that talks to an engine, in JSON lines over Node's channel, so that what its
 * libraries print does no harm. It ends with this process, and is started again when it dies.
 */
export class LauncherProcess {
  readonly #options: LauncherProcessOptions;
  readonly #waiters = new Map<number, Waiter>();
  #process: ProcessGroup | undefined;
  #fault = "it has not been started";
  #numAsked = 0;
  readonly #closing = new AbortController();
  #running: Promise<void> = Promise.resolve();

  constructor(options: LauncherProcessOptions) {
    this.#options = options;
  }

  open(): void {
    this.#running = this.#run();
  }

  /**
   * @throws LauncherLost where the process died before it answered or does not know itself, else an
   *   error with the reason of the refusal
   */
  ask(op: string, fields: object = {}): Promise<unknown> {
    const { child } = this.#process ?? {};
    if (this.#fault !== "" || !child?.connected) {
      return Promise.reject(new Error(`the launcher cannot be asked: ${this.#fault || "it died"}`));
    }
    const id = this.#numAsked++;
    return new Promise((resolve, reject) => {
      this.#waiters.set(id, { resolve, reject });
      child.send({ id, op, ...fields }, (error) => {
        if (error) this.#settle(id, (waiter) => waiter.reject(new LauncherLost(error.message)));
      });
    });
  }

  /** Ends it, once it has done what was asked. */
  async close(): Promise<void> {
    this.#closing.abort();
    const { child } = this.#process ?? {};
    if (child?.connected) child.disconnect();
    const kill = setTimeout(() => this.#process?.signal("SIGKILL"), CLOSE_GRACE_MS);
    await this.#running;
    clearTimeout(kill);
  }

  async #run(): Promise<void> {
    const { log, firstPauseMs = FIRST_PAUSE_MS } = this.#options;
    let pauseMs = firstPauseMs;
    while (!this.#closing.signal.aborted) {
      const startMs = performance.now();
      const reason = await this.#lifetime();
      if (this.#closing.signal.aborted) return;
      if (performance.now() - startMs > WELL_AFTER_MS) pauseMs = firstPauseMs;
      log.warn(`the launcher ended, ${reason}; it is started again in ${pauseMs / 1000} s`);
      await sleep(pauseMs, undefined, { signal: this.#closing.signal }).catch(() => undefined);
      pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS);
    }
  }

  /** One process from its start to its end. @returns how it ended */
  async #lifetime(): Promise<string> {
    const { pythonPath, env, logPath } = this.#options;
    const args = pythonModule("stillhouse_launcher");
    this.#process = new ProcessGroup(pythonPath, args, env, logPath, true);
    this.#process.child.on("message", (message: object) => this.#take(message));
    this.#fault = "";
    void this.#open();
    const reason = await this.#process.ended;
    this.#fault = [reason, logTail(logPath).trim().split("\n").at(-1)].filter(Boolean).join(": ");
    for (const id of [...this.#waiters.keys()]) {
      const lost = new LauncherLost(`the launcher ended, ${reason}`);
      this.#settle(id, (waiter) => waiter.reject(lost));
    }
    return this.#fault;
  }

  async #open(): Promise<void> {
    try {
      await this.ask("open", this.#options.opening());
      this.#options.onOpened();
    } catch (error) {
      // A process that does not know what it is for is of no use, but a new one would say the same.
      if (!(error instanceof LauncherLost)) this.#fault = (error as Error).message;
    }
  }

  #take(message: Answer): void {
    const { id, ok, error, is_refusal: isRefusal } = message;
    if (id === undefined) {
      this.#options.onMessage(message);
      return;
    }
    this.#settle(id, ({ resolve, reject }) => {
      if (error === undefined) resolve(ok);
      else reject(isRefusal ? new Error(error) : new LauncherLost(error));
    });
  }

  #settle(id: number, settle: (waiter: Waiter) => void): void {
    const waiter = this.#waiters.get(id);
    this.#waiters.delete(id);
    if (waiter) settle(waiter);
  }
}
