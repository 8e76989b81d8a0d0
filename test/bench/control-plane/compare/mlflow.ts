import { execFile } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { MlflowServer } from "../../../fixtures/mlflow-server.js";

const run = promisify(execFile);
const SCRIPT = join(import.meta.dirname, "mlflow-intake.py");
const RUN_LIMIT_MS = 300_000;

/** Metric points into MLflow's tracking server. */
export class MlflowPoints {
  readonly #python: string;
  readonly #folder = mkdtempSync(join(tmpdir(), "stillhouse-mlflow-"));
  readonly #server: MlflowServer;

  constructor(python: string) {
    this.#python = python;
    this.#server = new MlflowServer(python, this.#folder);
  }

  start(): Promise<void> {
    return this.#server.start();
  }

  /** @param batch points per call */
  async perSecond(numClients: number, batch: number, seconds: number): Promise<number> {
    const sizes = [this.#server.port, numClients, batch, seconds].map(String);
    const { stdout } = await run(this.#python, [SCRIPT, ...sizes], { timeout: RUN_LIMIT_MS });
    return Number(stdout);
  }

  async close(): Promise<void> {
    await this.#server.stop();
    rmSync(this.#folder, { recursive: true, force: true, maxRetries: 3 });
  }
}
