import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { freePort } from "../../../fixtures/free-port.js";

const run = promisify(execFile);
const SCRIPT = join(import.meta.dirname, "mlflow-intake.py");
const START_LIMIT_MS = 120_000;
const RUN_LIMIT_MS = 300_000;

/** MLflow's tracking server: one process, SQLite. */
export class MlflowServer {
  readonly #python: string;
  readonly #folder = mkdtempSync(join(tmpdir(), "stillhouse-mlflow-"));
  #server: ChildProcess | undefined;
  #port = 0;

  constructor(python: string) {
    this.#python = python;
  }

  async start(): Promise<void> {
    this.#port = await freePort();
    const store = ["--backend-store-uri", `sqlite:///${this.#folder}/mlflow.db`];
    const place = ["--host", "127.0.0.1", "--port", String(this.#port), "--workers", "1"];
    const artifacts = ["--artifacts-destination", this.#folder];
    const args = ["-m", "mlflow", "server", ...store, ...artifacts, ...place];
    this.#server = spawn(this.#python, args, { stdio: "ignore", detached: true });
    await answers(`http://127.0.0.1:${this.#port}/health`);
  }

  /** @param batch points a call */
  async pointsPerSecond(numClients: number, batch: number, seconds: number): Promise<number> {
    const sizes = [this.#port, numClients, batch, seconds].map(String);
    const { stdout } = await run(this.#python, [SCRIPT, ...sizes], { timeout: RUN_LIMIT_MS });
    return Number(stdout);
  }

  async close(): Promise<void> {
    const server = this.#server;
    if (server?.pid !== undefined && server.exitCode === null) {
      const ended = once(server, "exit");
      process.kill(-server.pid, "SIGKILL");
      await ended;
    }
    rmSync(this.#folder, { recursive: true, force: true, maxRetries: 3 });
  }
}

async function answers(url: string): Promise<void> {
  const deadlineMs = performance.now() + START_LIMIT_MS;
  while (performance.now() < deadlineMs) {
    const response = await fetch(url).catch(() => undefined);
    if (response?.ok) return;
    await sleep(200);
  }
  throw new Error(`nothing answered at ${url} within ${START_LIMIT_MS / 1000} s`);
}
