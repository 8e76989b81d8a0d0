import { type ChildProcess, execFile, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import type { Locator, Page } from "playwright-core";
import { freePort } from "../../fixtures/free-port.js";
import { MlflowServer } from "../../fixtures/mlflow-server.js";
import { PYTHON } from "../../fixtures/tiny.js";
import { comparedPrograms, MLFLOW } from "../compared/environment.js";
import { LONG_RUN } from "./filled-home.js";
import { type Measured, median, repeated, say, unlessMissing } from "./measured.js";
import type { Served } from "./timings.js";

const run = promisify(execFile);
const FOLDER = join(import.meta.dirname, "compare");
// TensorBoard imports pkg_resources, which later versions of setuptools no longer have.
const PACKAGES = [MLFLOW, "tensorboard==2.20.0", "setuptools==80.9.0"];
const FILL_LIMIT_MS = 900_000;
const READ_LIMIT_MS = 600_000;
const SHOW_LIMIT_MS = 120_000;

export interface Comparison extends Served {
  readonly numExperiments: number;
}

type Sought = (page: Page) => Locator;

/** The same rows and the same curve in the pages that people use today. */
export async function compare(comparison: Comparison): Promise<Measured[]> {
  const folder = mkdtempSync(join(tmpdir(), "stillhouse-compared-"));
  try {
    const python = await comparedPrograms(PACKAGES, say);
    return [
      ...(await stillhouse(comparison)),
      ...(await unlessMissing("MLflow", () => mlflow(comparison, python, folder))),
      ...(await unlessMissing("TensorBoard", () => tensorboard(comparison, python, folder))),
    ];
  } finally {
    rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
  }
}

async function stillhouse(comparison: Comparison): Promise<Measured[]> {
  const { address } = comparison;
  return [
    await shown(comparison, "rows, Stillhouse", `${address}/`, (page) =>
      page.locator("tbody tr td").first(),
    ),
    await shown(comparison, "curve, Stillhouse", `${address}/experiments/${LONG_RUN}`, (page) =>
      page.getByRole("img", { name: /^Loss\./ }).locator("canvas"),
    ),
  ];
}

async function mlflow(comparison: Comparison, python: string, folder: string): Promise<Measured[]> {
  const server = new MlflowServer(python, folder);
  say("the same data for MLflow");
  const file = server.store.replace("sqlite:///", "");
  const [experiment, longRun] = await fill(comparison, python, "fill-mlflow.py", file);
  try {
    await server.start();
    const runs = `http://127.0.0.1:${server.port}/#/experiments/${experiment}/runs`;
    return [
      await shown(comparison, "rows, MLflow", runs, (page) =>
        page.locator("a[href*='/runs/']").first(),
      ),
      await shown(comparison, "curve, MLflow", `${runs}/${longRun}/model-metrics`, (page) =>
        page.locator(".js-plotly-plot path.js-line[d*=L]").first(),
      ),
    ];
  } finally {
    await server.stop();
  }
}

async function tensorboard(
  comparison: Comparison,
  python: string,
  folder: string,
): Promise<Measured[]> {
  const logs = join(folder, "tensorboard");
  mkdirSync(logs);
  say("the same data for TensorBoard");
  await fill(comparison, PYTHON, "fill-tensorboard.py", logs);
  const program = join(dirname(python), "tensorboard");
  const results = [];
  for (const [what, logdir, numRuns, sought] of [
    ["rows", logs, comparison.numExperiments + 1, ROW],
    ["curve", join(logs, "long"), 1, CURVE],
  ] as const) {
    const port = await freePort();
    const args = ["--logdir", logdir, "--host", "127.0.0.1", "--port", String(port)];
    const server = spawn(program, args, { stdio: "ignore" });
    try {
      const address = `http://127.0.0.1:${port}`;
      await hasRead(address, numRuns, server);
      results.push(
        await shown(comparison, `${what}, TensorBoard`, `${address}/#timeseries`, sought),
      );
    } finally {
      server.kill("SIGKILL");
    }
  }
  return results;
}

const ROW: Sought = (page) => page.locator("runs-data-table tb-data-table-content-row").first();
/** The curve itself is a canvas; its last values appear below it at the same time. */
const CURVE: Sought = (page) => page.locator("scalar-card tb-data-table-content-row").first();

async function fill(
  { numExperiments, numPoints }: Comparison,
  python: string,
  script: string,
  place: string,
): Promise<string[]> {
  const args = [join(FOLDER, script), place, String(numExperiments), String(numPoints)];
  const { stdout } = await run(python, args, { timeout: FILL_LIMIT_MS });
  return stdout.trim().split(" ");
}

/** Waits until TensorBoard has read its files, which is not part of its figures. */
async function hasRead(address: string, numRuns: number, server: ChildProcess): Promise<void> {
  const deadlineMs = performance.now() + READ_LIMIT_MS;
  while (performance.now() < deadlineMs && server.exitCode === null) {
    const response = await fetch(`${address}/data/runs`).catch(() => undefined);
    const runs = response?.ok ? ((await response.json()) as unknown[]) : [];
    if (runs.length >= numRuns) return;
    await sleep(500);
  }
  throw new Error("TensorBoard did not read all of its files in time");
}

/** Time from opening the address to seeing the element, with an empty browser cache. */
async function shown(
  { browser, repetitions }: Comparison,
  what: string,
  url: string,
  sought: Sought,
): Promise<Measured> {
  const times = await repeated(repetitions, async () => {
    const context = await browser.newContext({ viewport: { width: 1280, height: 900 } });
    const page = await context.newPage();
    const start = performance.now();
    await page.goto(url, { waitUntil: "commit" });
    await sought(page).waitFor({ timeout: SHOW_LIMIT_MS });
    const took = performance.now() - start;
    await context.close();
    return took;
  });
  return { what: `${what}: seen after`, value: median(times), unit: "ms" };
}
