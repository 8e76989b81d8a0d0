import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { comparedPrograms } from "./compare/environment.js";

const run = promisify(execFile);
const FOLDER = join(import.meta.dirname, "compare");
/** As in the intake of Stillhouse, and the most that MLflow takes in one call. */
const BATCHES = [125, 1_000];
/** More than that, and calls to MLflow's server end by its own time limit. */
const NUM_CLIENTS = 20;
const INTAKE_SECONDS = 15;
const NUM_JOBS = 20;
const START_LIMIT_MS = 120_000;
const RUN_LIMIT_MS = 300_000;

/** Figures of another program, or why there are none. */
export type Compared = Readonly<Record<string, number | string>>;

/**
 * What people use today, on this machine in this run: MLflow's tracking server (one process, SQLite)
 * takes in metric points, and Ray's job submission starts jobs.
 */
export async function compare(say: (text: string) => void): Promise<Compared> {
  let python: string;
  try {
    python = await comparedPrograms(say);
  } catch (error) {
    return { not_installed: String(error instanceof Error ? error.message : error) };
  }
  return { ...(await mlflow(python, say)), ...(await ray(python, say)) };
}

async function mlflow(python: string, say: (text: string) => void): Promise<Compared> {
  const folder = mkdtempSync(join(tmpdir(), "stillhouse-mlflow-"));
  const port = await freePort();
  const store = ["--backend-store-uri", `sqlite:///${folder}/mlflow.db`];
  const place = ["--host", "127.0.0.1", "--port", String(port), "--workers", "1"];
  const args = ["-m", "mlflow", "server", ...store, "--artifacts-destination", folder, ...place];
  const server = spawn(python, args, { stdio: "ignore", detached: true });
  const ended = once(server, "exit");
  try {
    await answers(`http://127.0.0.1:${port}/health`);
    const figures: Record<string, number> = {};
    for (const batch of BATCHES) {
      say(`MLflow's intake of metric points, ${batch} a call`);
      const script = join(FOLDER, "mlflow-intake.py");
      const sizes = [port, NUM_CLIENTS, batch, INTAKE_SECONDS].map(String);
      const { stdout } = await run(python, [script, ...sizes], { timeout: RUN_LIMIT_MS });
      figures[`mlflow_points_per_second_${batch}_a_call`] = Math.round(Number(stdout));
    }
    return figures;
  } catch (error) {
    return { mlflow_failed: lastLine(error) };
  } finally {
    if (server.pid !== undefined && server.exitCode === null) process.kill(-server.pid, "SIGKILL");
    await ended;
    rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
  }
}

async function ray(python: string, say: (text: string) => void): Promise<Compared> {
  say("Ray's jobs");
  try {
    const env = { ...process.env, RAY_USAGE_STATS_ENABLED: "0" };
    const args = [join(FOLDER, "ray-jobs.py"), String(NUM_JOBS)];
    const { stdout } = await run(python, args, { timeout: RUN_LIMIT_MS, env });
    return { ray_jobs_per_second: Number(Number(stdout.trim().split("\n").at(-1)).toPrecision(3)) };
  } catch (error) {
    return { ray_failed: lastLine(error) };
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

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  return typeof address === "object" && address !== null ? address.port : 0;
}

function lastLine(error: unknown): string {
  const { stderr = "", message } = error as Error & { stderr?: string };
  return stderr.trim().split("\n").at(-1) || message;
}
