import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import type { Browser } from "playwright-core";
import { LocalStore } from "../../src/store/local-store.js";
import { launchChromium } from "../fixtures/chromium.js";
import { ServedPlane } from "../fixtures/served-plane.js";
import { compare } from "./dashboard/compare.js";
import { fillWithExperiments, writeLongRun } from "./dashboard/filled-home.js";
import { type Measured, unlessMissing } from "./dashboard/measured.js";
import { axe, lighthouse } from "./dashboard/quality.js";
import { firstView, longRun, table } from "./dashboard/timings.js";

/** How fast and how usable the dashboard is with many experiments and a long run, in real Chromium. */
const HELP = `Usage: npm run bench -- dashboard [--experiments N] [--points N] [--repetitions N] [--compare] [--json]

Measures in Chromium how fast and how usable the dashboard is with many experiments and a long run;
with --compare beside MLflow and TensorBoard.`;

const { values } = parseArgs({
  options: {
    experiments: { type: "string", default: "10000" },
    points: { type: "string", default: "1000000" },
    repetitions: { type: "string", default: "5" },
    compare: { type: "boolean", default: false },
    json: { type: "boolean", default: false },
    help: { type: "boolean", short: "h", default: false },
  },
});
if (values.help) {
  console.log(HELP);
  process.exit(0);
}
const numExperiments = Number(values.experiments);
const numPoints = Number(values.points);
const repetitions = Number(values.repetitions);

const home = mkdtempSync(join(tmpdir(), "stillhouse-bench-page-"));
const plane = new ServedPlane(home);
let browser: Browser | undefined;
try {
  const store = LocalStore.open(home);
  fillWithExperiments(store, numExperiments);
  writeLongRun(store, numPoints);
  store.close();
  await plane.start();
  browser = await launchChromium();
  const served = { browser, address: plane.address, numPoints, repetitions };
  if (!values.json) {
    console.log(
      `${numExperiments} experiments, a run of ${numPoints} points; medians of ${repetitions}`,
    );
  }
  const parts = [
    () => firstView(served),
    () => longRun(served),
    () => table(served),
    () => axe(served),
    () => unlessMissing("Lighthouse", () => lighthouse(served)),
  ];
  if (values.compare) {
    const comparison = { ...served, numExperiments };
    parts.push(() => unlessMissing("the comparison", () => compare(comparison)));
  }
  const results: Measured[] = [];
  for (const measure of parts) {
    const measured = await measure();
    if (!values.json) print(measured);
    results.push(...measured);
  }
  if (values.json) console.log(JSON.stringify(results));
} finally {
  await browser?.close();
  await plane.kill();
  rmSync(home, { recursive: true, force: true, maxRetries: 3 });
}

function print(results: readonly Measured[]): void {
  for (const { what, value, unit } of results) {
    console.log(`${what.padEnd(58)}${value.toFixed(unit === "kB" ? 1 : 0).padStart(8)} ${unit}`);
  }
}
