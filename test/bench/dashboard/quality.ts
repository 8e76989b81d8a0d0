import { execFile } from "node:child_process";
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { axeFindings, findChromium } from "../../fixtures/chromium.js";
import { PROJECT } from "../../fixtures/tiny.js";
import { LONG_RUN } from "./filled-home.js";
import type { Measured } from "./measured.js";
import type { Served } from "./timings.js";

const run = promisify(execFile);
// The newest that runs on Node 20 and that npm can lock; only this bench uses and installs it.
const LIGHTHOUSE = "lighthouse@12.2.3";
const FOLDER = join(PROJECT, ".setup", "lighthouse");
const CATEGORIES = ["performance", "accessibility", "best-practices"] as const;
const LIMIT_MS = 180_000;

const VIEWS: readonly [name: string, path: string][] = [
  ["overview", "/"],
  ["the long run", `/experiments/${LONG_RUN}`],
  ["a comparison", "/compare?id=run1&id=run2"],
  ["the form", "/new"],
];

/** Everything that axe-core finds, however slight. */
export async function axe({ browser, address }: Served): Promise<Measured[]> {
  const page = await browser.newPage({ baseURL: address, viewport: { width: 1280, height: 900 } });
  const results: Measured[] = [];
  for (const [name, path] of VIEWS) {
    await page.goto(path);
    await page.locator("h1").waitFor();
    await page.waitForLoadState("networkidle");
    const findings = await axeFindings(page);
    results.push({ what: `axe: ${name}`, value: findings.length, unit: "findings" });
  }
  await page.close();
  return results;
}

/** Lighthouse's scores for a desktop; throws the message of npm where it cannot be installed. */
export async function lighthouse({ address }: Served): Promise<Measured[]> {
  const program = join(FOLDER, "node_modules", ".bin", "lighthouse");
  if (!existsSync(program)) await install();
  const results: Measured[] = [];
  for (const [name, path] of VIEWS) {
    const output = join(FOLDER, "report.json");
    const args = [
      `${address}${path}`,
      "--preset=desktop",
      "--quiet",
      "--output=json",
      `--output-path=${output}`,
      `--only-categories=${CATEGORIES.join(",")}`,
      "--chrome-flags=--headless=new --no-sandbox",
    ];
    const env = { ...process.env, CHROME_PATH: findChromium() };
    await run(program, args, { env, timeout: LIMIT_MS, maxBuffer: 64 * 1024 * 1024 });
    const { categories } = JSON.parse(readFileSync(output, "utf8"));
    for (const category of CATEGORIES) {
      const what = `Lighthouse, desktop: ${name}, ${category}`;
      results.push({ what, value: categories[category].score * 100, unit: "of 100" });
    }
  }
  return results;
}

async function install(): Promise<void> {
  mkdirSync(FOLDER, { recursive: true });
  const options = ["--prefix", FOLDER, "--ignore-scripts", "--no-audit", "--no-fund", "--silent"];
  await run("npm", ["install", ...options, LIGHTHOUSE], { timeout: LIMIT_MS });
}
