import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface, type Interface } from "node:readline";

const SCRIPT = join(import.meta.dirname, "ray-jobs.py");
const START_LIMIT_MS = 300_000;
const ERROR_CHARACTERS = 2_000;

/** Ray on this machine, and its job submission. */
export class RayJobs {
  readonly #python: string;
  #process: ChildProcessWithoutNullStreams | undefined;
  #lines: Interface | undefined;
  #errors = "";

  constructor(python: string) {
    this.#python = python;
  }

  /** Resolves once it has run its first job. */
  async start(): Promise<void> {
    const env = { ...process.env, RAY_USAGE_STATS_ENABLED: "0" };
    this.#process = spawn(this.#python, [SCRIPT], { env });
    this.#process.stderr.setEncoding("utf8").on("data", (text: string) => {
      this.#errors = (this.#errors + text).slice(-ERROR_CHARACTERS);
    });
    this.#lines = createInterface(this.#process.stdout);
    await this.#answer();
  }

  async perSecond(numJobs: number): Promise<number> {
    this.#process?.stdin.write(`${numJobs}\n`);
    return Number(await this.#answer());
  }

  async close(): Promise<void> {
    const child = this.#process;
    if (!child || child.exitCode !== null) return;
    const ended = once(child, "exit");
    child.stdin.end(); // the script then stops Ray
    await ended;
  }

  async #answer(): Promise<string> {
    const lines = this.#lines;
    if (!lines) throw new Error("Ray was not started");
    const waiting = new AbortController();
    const { signal } = waiting;
    const limit = setTimeout(() => waiting.abort(), START_LIMIT_MS);
    const ended = once(lines, "close", { signal }).then(() => {
      throw new Error(this.#errors.trim().split("\n").at(-1) || "Ray's script ended");
    });
    ended.catch(() => undefined);
    try {
      // Ray itself may print lines too.
      for (;;) {
        const [line] = await Promise.race([once(lines, "line", { signal }), ended]);
        if (/^[\d.]+$/.test(line)) return line;
      }
    } finally {
      clearTimeout(limit);
      waiting.abort();
    }
  }
}
