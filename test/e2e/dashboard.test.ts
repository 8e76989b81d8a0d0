import assert from "node:assert/strict";
import { readFileSync, statSync } from "node:fs";
import { basename, join } from "node:path";
import { after, before, describe } from "node:test";
import type { Page } from "playwright-core";
import { TokenFile } from "../../src/security/token-file.js";
import { homePaths } from "../../src/store/home.js";
import { seriousFaults, skippedWithoutChromium } from "../fixtures/chromium.js";
import { DashboardPage } from "../fixtures/dashboard-page.js";
import { ask } from "../fixtures/http-client.js";
import { tinyDataAndModel, tinyFlags } from "../fixtures/tiny.js";
import { it as test } from "../fixtures/waiting.js";

/** The values to fill into the form, by flag. */
function formValues(changes: Record<string, string>): Map<string, string> {
  const flags = tinyFlags(tinyDataAndModel());
  const values = new Map<string, string>();
  for (let at = 0; at < flags.length; at += 2) {
    values.set(String(flags[at]).slice(2), String(flags[at + 1]));
  }
  for (const [flag, value] of Object.entries(changes)) values.set(flag, value);
  return values;
}

async function fillIn(page: Page, values: ReadonlyMap<string, string>): Promise<void> {
  const closed = page.locator(".setting-group:not([open]) > summary");
  while ((await closed.count()) > 0) await closed.first().click();
  for (const [flag, value] of values) {
    const field = page.locator(`[data-flag="${flag}"]`);
    const isSelect = (await field.evaluate((element) => element.nodeName)) === "SELECT";
    if (isSelect) await field.selectOption(value);
    else await field.fill(value);
  }
}

describe("the dashboard in Chromium", { skip: skippedWithoutChromium() }, () => {
  let dashboard: DashboardPage;
  let page: Page;
  const ids: string[] = [];

  before(async () => {
    dashboard = await DashboardPage.open();
    page = dashboard.page;
  });

  after(() => dashboard?.close());

  async function start(values: ReadonlyMap<string, string>): Promise<string> {
    await fillIn(page, values);
    await page.getByRole("button", { name: "Start", exact: true }).click();
    await page.waitForURL(/\/experiments\/\w+$/);
    const id = page.url().split("/").at(-1) ?? "";
    ids.push(id);
    return id;
  }

  test("an experiment is started from the form, which refuses invalid values", async () => {
    await dashboard.visit("/");
    await page.getByText("There are no experiments yet").waitFor();
    await page.getByRole("link", { name: "New experiment" }).click();
    await page.locator('[data-flag="dataset"]').waitFor();
    await fillIn(page, new Map([["inner-lr-decay", "-1"]]));
    await page.getByText("must be > 0 and ≤ 1e+30").waitFor();
    const values = formValues({
      ...{ name: "first", sl: "unrestricted", baselines: "none", inits: "3" },
      "inner-lr-decay": "1",
    });
    await fillIn(page, values);
    const command = await page.locator(".new-aside pre").textContent();
    assert.match(command ?? "", /^npm run experiment -- .*--sl unrestricted .*--baselines none/);
    await page.getByRole("button", { name: "Check only" }).click();
    await page
      .getByText("96 train")
      .or(page.getByText(/colours: \d+ train/))
      .first()
      .waitFor();
    await start(new Map());
  });

  test("that experiment is watched live to its end", async () => {
    await page.getByRole("progressbar", { name: "Distillation" }).waitFor();
    await page.locator(".page-head .badge-succeeded").waitFor();
    const accuracy = await page.locator(".key-value").first().textContent();
    assert.match(accuracy ?? "", /^\d+\.\d ± \d+\.\d %$/);
    await page.getByRole("img", { name: /Loss\. .*60 points to step 60/ }).waitFor();
    await page.getByRole("img", { name: /Distilled data.*: mean .* over 3 learners/ }).waitFor();
    const confusion = page.getByRole("region", { name: "Confusion, Distilled data" });
    await confusion.getByRole("columnheader", { name: "warm" }).waitFor();
    assert.deepEqual(await confusion.getByRole("rowheader").allTextContents(), ["warm", "cold"]);
  });

  test("its distilled data is inspected, and its files are downloaded", async () => {
    await page.locator("#distilled-title").scrollIntoViewIfNeeded();
    await page.getByText("Nearest tokens").waitFor();
    assert.ok((await page.locator(".token").count()) >= 8);
    const [download] = await Promise.all([
      page.waitForEvent("download"),
      page.getByRole("button", { name: "Download distilled.safetensors" }).click(),
    ]);
    const size = statSync(await download.path()).size;
    assert.equal(
      size,
      statSync(join(dashboard.home, "artifacts", ids[0] ?? "", "distilled.safetensors")).size,
    );
  });

  test("pictures of it are taken, like those of the README", async () => {
    const out = join(dashboard.home, "pictures");
    const paths = await dashboard.takePictures(ids[0] ?? "", out);
    assert.deepEqual(paths.map((path) => basename(path)).sort(), [
      "distilled-data.webp",
      "experiment.webp",
    ]);
    for (const path of paths) {
      const bytes = readFileSync(path);
      assert.equal(bytes.toString("latin1", 8, 12), "WEBP");
      assert.ok(bytes.length > 20_000, `${path} has ${bytes.length} bytes`);
    }
  });

  test("every chart has a table of the same numbers", async () => {
    await page.getByRole("button", { name: "Loss: table" }).click();
    const rows = page.getByRole("region", { name: "Loss, table" }).locator("tbody tr");
    assert.equal(await rows.count(), 60);
  });

  test("a clone continues without a gap when the server is killed and restarted", async () => {
    await page.getByRole("link", { name: "Clone with changes" }).click();
    await page.getByText("With the settings of").waitFor();
    const changes = { name: "second", "outer-steps": "120", sl: "restricted" };
    await start(new Map(Object.entries(changes)));
    await page.getByRole("img", { name: /Loss\. before/ }).waitFor();
    await dashboard.plane.kill();
    await page.getByText("The server does not answer").waitFor();
    await dashboard.plane.start();
    await page.getByText("The server does not answer").waitFor({ state: "detached" });
    await page.locator(".page-head .badge-succeeded").waitFor();
    await page.getByRole("img", { name: /Loss\. .*120 points to step 120/ }).waitFor();
  });

  test("both experiments are compared, and the comparison is exported", async () => {
    await dashboard.visit("/");
    for (const name of ["first", "second"]) {
      await page.getByRole("checkbox", { name: new RegExp(`Compare ${name} `) }).check();
    }
    await page.getByRole("button", { name: "Compare" }).click();
    await page.getByRole("columnheader", { name: "distilled.labels" }).waitFor();
    const row = page.getByLabel("Comparison").getByRole("row", { name: /second/ });
    assert.match((await row.textContent()) ?? "", /[+−]\d+\.\d.*3 shared inits/);
    for (const [button, name] of [
      ["Markdown", "comparison.md"],
      ["LaTeX", "comparison.tex"],
      ["CSV", "comparison.csv"],
      ["Accuracy as SVG", "accuracy.svg"],
      ["Accuracy as PNG", "accuracy.png"],
    ]) {
      const [download] = await Promise.all([
        page.waitForEvent("download"),
        page.getByRole("button", { name: button, exact: true }).click(),
      ]);
      assert.equal(download.suggestedFilename(), name);
      assert.ok(statSync(await download.path()).size > 200);
    }
  });

  test("axe-core finds nothing serious on any view, in light and in dark, at any width", async () => {
    const views = [
      "/",
      `/experiments/${ids[0]}`,
      `/compare?id=${ids[0]}&id=${ids[1]}`,
      "/new",
      "/sweeps",
      "/workers",
    ];
    const found: string[] = [];
    for (const view of views) {
      await page.emulateMedia({ colorScheme: "light" });
      await dashboard.visit(view);
      await page.locator("h1").waitFor();
      await page.waitForLoadState("networkidle");
      for (const fault of await seriousFaults(page)) found.push(`${view} ${fault}`);
      await page.emulateMedia({ colorScheme: "dark" });
      for (const fault of await seriousFaults(page, ["color-contrast"])) {
        found.push(`${view} dark ${fault}`);
      }
      await page.setViewportSize({ width: 360, height: 720 });
      const overflow = await page.evaluate("document.documentElement.scrollWidth - innerWidth");
      if (overflow !== 0) found.push(`${view} is ${overflow} px too wide at 360 px`);
      await page.setViewportSize({ width: 1280, height: 900 });
    }
    assert.deepEqual(found, []);
  });

  test("a read-only caller is refused a cancel, with the reason", async () => {
    await dashboard.visit(`/new?from=${ids[0]}`);
    await page.getByText("With the settings of").waitFor();
    const id = await start(new Map(Object.entries({ name: "endless", "outer-steps": "100000" })));
    await page.locator(".page-head .badge-running").waitFor();
    const token = new TokenFile(homePaths(dashboard.home).tokens).add("reader", "read", new Date());
    await page.reload();
    await page.getByRole("dialog", { name: "Sign in" }).waitFor();
    for (const text of ["shh_nobody", token]) {
      await page.getByLabel("Token").fill(text);
      await page.getByRole("button", { name: "Sign in" }).click();
      if (text !== token) await page.getByRole("alert").waitFor();
    }
    await page.getByText("reader (read)").waitFor();
    await page.getByRole("button", { name: "Cancel" }).press("Enter");
    await page.getByText("Your token may read only").first().waitFor();
    const headers = { authorization: `Bearer ${token}` };
    const path = `/api/v1/experiments/${id}:cancel`;
    const refused = await ask(dashboard.plane.address, "POST", path, { headers, body: {} });
    assert.equal(refused.status, 403);
    assert.ok(await page.locator(".page-head .badge-running").isVisible());
  });

  test("no script failed, and no request went to another host", () => {
    assert.deepEqual(dashboard.complaints, []);
  });
});
