import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import type { Browser, Page } from "playwright-core";
import { launchChromium } from "./fixtures/chromium.js";
import { ServedPlane } from "./fixtures/served-plane.js";
import { PROJECT } from "./fixtures/tiny.js";

/** Pictures of the dashboard for the README, of a finished experiment of a home. */

const USAGE = "Usage: npm run screenshots -- --home DIR --experiment ID [--out DIR]";
const OUT = join(PROJECT, "src", "dashboard", "screenshots");
/** Enough to read on a dense screen; larger files would make every clone larger. */
const SCALE = 1.25;
const QUALITY = 0.8;
const PATIENCE_MS = 120_000;

interface Shot {
  readonly name: string;
  readonly scheme: "light" | "dark";
  /** From the top of the first to the bottom of the last. */
  readonly from: string;
  readonly to: string;
}

const SHOTS: readonly Shot[] = [
  { name: "experiment", scheme: "light", from: ".page-head", to: ".chart-grid > :nth-child(4)" },
  {
    name: "distilled-data",
    scheme: "dark",
    from: "#distilled-title",
    to: ".section:nth-of-type(3)",
  },
];

const { values } = parseArgs({
  options: {
    home: { type: "string" },
    experiment: { type: "string" },
    out: { type: "string", default: OUT },
  },
});
if (values.home === undefined || values.experiment === undefined) {
  console.error(USAGE);
  process.exitCode = 2;
} else {
  await takeAll(resolve(values.home), values.experiment, resolve(values.out));
}

/** Of a copy: a look at a home changes nothing in it. */
async function takeAll(home: string, experiment: string, out: string): Promise<void> {
  if (!existsSync(join(home, "stillhouse.db"))) throw new Error(`there is no home at ${home}`);
  const copy = mkdtempSync(join(tmpdir(), "stillhouse-screenshots-"));
  cpSync(home, copy, { recursive: true });
  mkdirSync(out, { recursive: true });
  const plane = new ServedPlane(copy);
  const browser = await launchChromium();
  try {
    await plane.start();
    for (const shot of SHOTS)
      await take(browser, `${plane.address}/experiments/${experiment}`, shot, out);
  } finally {
    await browser.close();
    await plane.kill();
    rmSync(copy, { recursive: true, force: true, maxRetries: 3 });
  }
}

async function take(browser: Browser, address: string, shot: Shot, out: string): Promise<void> {
  const page = await browser.newPage({
    viewport: { width: 1200, height: 900 },
    deviceScaleFactor: SCALE,
    colorScheme: shot.scheme,
  });
  page.setDefaultTimeout(PATIENCE_MS);
  await page.goto(address);
  await page.locator("#distilled-title").scrollIntoViewIfNeeded();
  await page.getByText("Nearest tokens").waitFor();
  await scrollThrough(page);
  const top = await boxOf(page, shot.from);
  const bottom = await boxOf(page, shot.to);
  const margin = 20;
  const png = await page.screenshot({
    fullPage: true,
    clip: {
      x: 0,
      y: top.y - margin,
      width: 1200,
      height: bottom.y + bottom.height - top.y + 2 * margin,
    },
  });
  const path = join(out, `${shot.name}.webp`);
  const webp = await toWebp(page, png);
  writeFileSync(path, webp);
  console.log(`${path}  ${Math.round(webp.length / 1000)} kB`);
  await page.close();
}

/** What comes near is drawn. */
async function scrollThrough(page: Page): Promise<void> {
  const height = Number(await page.evaluate("document.documentElement.scrollHeight"));
  for (let y = 0; y < height; y += 500) {
    await page.evaluate(`scrollTo(0, ${y})`);
    await page.waitForTimeout(150);
  }
  await page.evaluate("scrollTo(0, 0)");
  await page.waitForLoadState("networkidle");
  await page.waitForTimeout(500);
}

async function boxOf(page: Page, selector: string) {
  const box = await page.locator(selector).first().boundingBox();
  if (box === null) throw new Error(`${selector} is not on the page`);
  return box;
}

/** The browser has an encoder; PNG would be several times as large. */
async function toWebp(page: Page, png: Buffer): Promise<Buffer> {
  const source = `data:image/png;base64,${png.toString("base64")}`;
  const address = await page.evaluate(`(async () => {
    const image = new Image();
    image.src = ${JSON.stringify(source)};
    await image.decode();
    const canvas = document.createElement("canvas");
    canvas.width = image.width;
    canvas.height = image.height;
    canvas.getContext("2d").drawImage(image, 0, 0);
    return canvas.toDataURL("image/webp", ${QUALITY});
  })()`);
  return Buffer.from(String(address).split(",")[1] ?? "", "base64");
}
