import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync } from "node:fs";
import { PYTHON } from "../fixtures/tiny.js";

/**
 * Checkpoints are written far more often than every 20 s, since a whole experiment takes less, and
 * kills should fall between checkpoints.
 */
const START = `
import sys
from stillhouse_worker.context import training_checkpoints
training_checkpoints.SHORTEST_INTERVAL_S, training_checkpoints.MOST_OF_RUN = 0.3, 1.0
from stillhouse_worker.__main__ import main
sys.exit(main(sys.argv[1:]))
`;

export interface WorkerPlace {
  readonly zmq: string;
  readonly grpc: string;
  /** Folder of its keys; absent where it needs none. */
  readonly keys?: string;
  /** File to which all processes of this name log. */
  readonly logPath: string;
}

/** A real worker that is restarted whenever its process ends, as by a supervisor. */
export class WorkerProcess {
  readonly #id: string;
  readonly #place: WorkerPlace;
  #child: ChildProcess | undefined;
  #isEnding = false;

  constructor(id: string, place: WorkerPlace) {
    this.#id = id;
    this.#place = place;
    this.#start();
  }

  signal(name: "SIGKILL" | "SIGSTOP" | "SIGCONT"): void {
    this.#child?.kill(name);
  }

  async end(): Promise<void> {
    this.#isEnding = true;
    const child = this.#child;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, "exit");
    child.kill("SIGKILL");
    await ended;
  }

  #start(): void {
    const { zmq, grpc, keys, logPath } = this.#place;
    const own = keys === undefined ? [] : ["--keys", keys];
    const args = [
      "-c",
      START,
      "worker",
      "--connect",
      zmq,
      "--grpc",
      grpc,
      "--id",
      this.#id,
      ...own,
    ];
    const log = openSync(logPath, "a");
    const env = { ...process.env, OMP_NUM_THREADS: "1", PYTHONUNBUFFERED: "1" };
    this.#child = spawn(PYTHON, args, { stdio: ["ignore", log, log], env });
    closeSync(log);
    this.#child.once("exit", () => {
      if (!this.#isEnding) this.#start();
    });
  }
}
