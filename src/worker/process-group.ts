import { type ChildProcess, type SpawnOptions, spawn } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { pythonEnv } from "../setup/python-env.mjs";

export type Environment = Readonly<Record<string, string | undefined>>;

const STDERR = 2;

/**
 * A process with a process group of its own, so that Ctrl-C in the terminal does not reach it and
 * its own children end with it. It reads nothing, and what it prints goes to a log.
 */
export class ProcessGroup {
  readonly child: ChildProcess;
  /** Resolves with how it ended; also when it could not be started. */
  readonly ended: Promise<string>;
  #hasEnded = false;

  /**
   * @param logPath absent: what it prints goes to the stderr of this process
   * @param ipc whether to open a channel for messages to and from the process
   */
  constructor(
    command: string,
    args: string[],
    env: Environment,
    logPath: string | undefined,
    ipc = false,
  ) {
    const log = logPath === undefined ? STDERR : openSync(logPath, "a");
    const stdio: SpawnOptions["stdio"] = ["ignore", log, log, ...(ipc ? (["ipc"] as const) : [])];
    try {
      // Python would keep what it prints until its end, and lose it when it is killed.
      const unbuffered = { ...pythonEnv(env), PYTHONUNBUFFERED: "1" };
      this.child = spawn(command, args, { detached: true, env: unbuffered, stdio });
    } finally {
      if (log !== STDERR) closeSync(log);
    }
    this.ended = this.#end(command);
  }

  /** To the whole group; a group that has ended is left alone. */
  signal(signal: "SIGTERM" | "SIGKILL"): void {
    if (this.child.pid === undefined || this.#hasEnded) return;
    try {
      process.kill(-this.child.pid, signal);
    } catch {
      // It ended in this moment.
    }
  }

  /** SIGTERM, time to end in good order, SIGKILL. Resolves when it has ended. */
  async stop(graceMs: number): Promise<void> {
    this.signal("SIGTERM");
    const kill = setTimeout(() => this.signal("SIGKILL"), graceMs);
    await this.ended;
    clearTimeout(kill);
  }

  #end(command: string): Promise<string> {
    return new Promise((resolve) => {
      this.child.on("error", (error: NodeJS.ErrnoException) => {
        // A later error, such as for a message to an ended process, does not itself mean an end.
        if (this.child.pid !== undefined) return;
        this.#hasEnded = true;
        resolve(error.code === "ENOENT" ? `${command} does not exist` : error.message);
      });
      this.child.once("exit", (code, signal) => {
        this.signal("SIGKILL"); // what it started and left behind
        this.#hasEnded = true;
        resolve(signal === null ? `it ended with exit code ${code}` : `it was killed by ${signal}`);
      });
    });
  }
}
