import { cpSync, existsSync, mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { launchChromium } from "./fixtures/chromium.js";
import { takePictures } from "./fixtures/pictures.js";
import { ServedPlane } from "./fixtures/served-plane.js";
import { PROJECT } from "./fixtures/tiny.js";

/** Pictures of the dashboard for the README, from a finished experiment of a home. */

const USAGE = "Usage: npm run screenshots -- --home DIR --experiment ID [--out DIR]";
const OUT = join(PROJECT, "src", "dashboard", "screenshots");

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

/** Opens a copy of the home, so that the home itself does not change. */
async function takeAll(home: string, experiment: string, out: string): Promise<void> {
  if (!existsSync(join(home, "stillhouse.db"))) throw new Error(`there is no home at ${home}`);
  const copy = mkdtempSync(join(tmpdir(), "stillhouse-screenshots-"));
  cpSync(home, copy, { recursive: true });
  const plane = new ServedPlane(copy);
  const browser = await launchChromium();
  try {
    await plane.start();
    const address = `${plane.address}/experiments/${experiment}`;
    for (const path of await takePictures(browser, address, out)) {
      console.log(`${path}  ${Math.round(statSync(path).size / 1000)} kB`);
    }
  } finally {
    await browser.close();
    await plane.kill();
    rmSync(copy, { recursive: true, force: true, maxRetries: 3 });
  }
}
