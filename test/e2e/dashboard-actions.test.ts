import assert from "node:assert/strict";
import { cpSync, mkdtempSync, renameSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe } from "node:test";
import type { Page } from "playwright-core";
import { skippedWithoutChromium } from "../fixtures/chromium.js";
import { DashboardPage } from "../fixtures/dashboard-page.js";
import { tinyDataAndModel, tinyDraft } from "../fixtures/tiny.js";
import { it as test } from "../fixtures/waiting.js";

/** More than a worker takes while a person presses a button. */
const MANY_STEPS = 100_000;
const QUICK = { "outer-steps": 10, validations: 1, inits: 2, baselines: "none" };

describe("a person on the dashboard", { skip: skippedWithoutChromium() }, () => {
  let dashboard: DashboardPage;
  let page: Page;
  const folder = mkdtempSync(join(tmpdir(), "stillhouse-data-"));

  before(async () => {
    dashboard = await DashboardPage.open();
    page = dashboard.page;
  });

  after(async () => {
    await dashboard?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  const press = (name: string) => page.getByRole("button", { name, exact: true }).click();
  const state = (name: string) => page.locator(`.page-head .badge-${name}`).waitFor();

  /** The first outer step that the page shows, at least this one. */
  async function stepShown(least = 1): Promise<number> {
    const shown = page.getByText(/ [\d,]+ of 100,000/).first();
    for (;;) {
      await shown.waitFor();
      const text = (await shown.textContent().catch(() => null)) ?? "";
      const step = Number(/ ([\d,]+) of/.exec(text)?.[1]?.replaceAll(",", ""));
      if (step >= least) return step;
      await page.waitForTimeout(50);
    }
  }

  test("cancels a running experiment, resumes it from its checkpoint, and retries it from the start", async () => {
    const id = await dashboard.create(
      tinyDraft({ "outer-steps": MANY_STEPS, baselines: "none", name: "long" }),
    );
    const stored = async () => (await dashboard.api("GET", `experiments/${id}`)).experiment;
    await dashboard.visit(`/experiments/${id}`);
    await state("running");
    const reached = await stepShown(100);
    await press("Cancel");
    await state("cancelled");
    assert.equal((await stored()).state, "STATE_CANCELLED");

    await press("Resume");
    await state("running");
    const resumedAt = await stepShown();
    assert.ok(resumedAt >= reached, `it continued at step ${resumedAt} and had reached ${reached}`);
    await page.getByText("attempt 2").waitFor();
    await press("Cancel");
    await state("cancelled");

    await press("Retry");
    await state("running");
    const retriedAt = await stepShown();
    assert.ok(retriedAt < reached, `it restarted at step ${retriedAt}`);
    await press("Cancel");
    await state("cancelled");
    assert.equal((await stored()).tasks[0].attempt, 3);
  });

  test("shows why an experiment failed, and retries it after the repair", async () => {
    const { dataDir } = tinyDataAndModel();
    const [here, away] = ["here", "away"].map((name) => join(folder, name)) as [string, string];
    cpSync(dataDir, here, { recursive: true });
    const spec = await dashboard.resolved(
      tinyDraft({ ...QUICK, "data-dir": here, name: "broken" }),
    );
    renameSync(here, away);
    const { experiment } = await dashboard.api("POST", "experiments", { spec });
    await dashboard.visit(`/experiments/${experiment.id}`);
    await state("failed");
    await page
      .getByRole("alert")
      .getByText(/is not a folder/)
      .first()
      .waitFor();
    renameSync(away, here);
    await press("Retry");
    await state("succeeded");
    assert.match((await page.locator(".key-value").first().textContent()) ?? "", /± \d+\.\d %/);
  });

  test("shows a sweep as a matrix whose cells lead to its experiments", async () => {
    const specs = [];
    for (const sl of ["none", "restricted"]) {
      for (const steps of [1, 2])
        specs.push(await dashboard.resolved(tinyDraft({ ...QUICK, sl, steps })));
    }
    const { sweep } = await dashboard.api("POST", "sweeps", { name: "labels by steps", specs });
    await dashboard.visit("/sweeps");
    await page.getByRole("link", { name: "labels by steps" }).click();
    const matrix = page.getByRole("region", { name: "Accuracy by setting" });
    await page.getByText("4 succeeded").waitFor();
    assert.deepEqual(await matrix.getByRole("columnheader").allTextContents(), ["1", "2"]);
    assert.deepEqual(await matrix.getByRole("rowheader").allTextContents(), ["none", "restricted"]);
    const { experiments } = await dashboard.api("GET", `experiments?sweep_id=${sweep.id}`);
    const shown = await matrix.getByRole("link").allTextContents();
    const expected = experiments.toReversed().map(accuracyOf);
    assert.deepEqual(
      shown.map((text) => /^\d+\.\d/.exec(text)?.[0]),
      expected,
    );

    const members = page.getByRole("region", { name: "Experiments", exact: true });
    const rows = members.locator("tbody tr");
    assert.equal(await rows.count(), 4);
    const byAccuracy = await rows.locator("td.end:nth-of-type(4)").allTextContents();
    assert.equal(Number.parseFloat(byAccuracy[0] ?? ""), Math.max(...expected.map(Number)));
    await rows.nth(0).getByRole("checkbox").check();
    await rows.nth(1).getByRole("checkbox").check();
    await page.getByRole("button", { name: "Compare", exact: true }).waitFor();

    await page.getByLabel("Rows").selectOption("steps");
    assert.deepEqual(await matrix.getByRole("rowheader").allTextContents(), ["1", "2"]);
    await matrix.getByRole("link").nth(1).click();
    await page.getByRole("link", { name: "its sweep" }).waitFor();
    assert.ok(page.url().endsWith(experiments.toReversed()[2].id), page.url());
  });

  test("sorts, groups and filters by a setting", async () => {
    await dashboard.visit("/");
    const rows = page.getByRole("region", { name: "Experiments" }).locator("tbody tr:not(.group)");
    await rows.nth(5).waitFor();
    await page.getByRole("combobox", { name: "Column", exact: true }).selectOption("steps");
    const column = page.getByRole("button", { name: "steps", exact: true });
    const values = () => rows.locator("td:last-child").allTextContents();
    await column.click();
    const rising = await values();
    assert.deepEqual(rising, rising.toSorted());
    assert.ok(new Set(rising).size > 1);
    await column.click();
    assert.deepEqual(await values(), rising.toReversed());

    await page.getByLabel("Group by").selectOption("sl");
    const groups = page.locator("tr.group .group-button");
    assert.deepEqual((await groups.allTextContents()).map((text) => text.slice(2)).toSorted(), [
      "sl none",
      "sl restricted",
    ]);
    await groups.filter({ hasText: "restricted" }).click();
    const numOthers = await rows.count();
    await page.getByLabel("Name, id or setting").fill("sl=restricted");
    await groups.filter({ hasText: "sl none" }).waitFor({ state: "detached" });
    await groups.filter({ hasText: "restricted" }).click();
    assert.equal(await rows.count(), rising.length - numOthers);
  });

  test("drains a worker, which finishes its task and leaves, and another one continues", async () => {
    const changes = { ...QUICK, "outer-steps": 200, name: "drained" };
    const id = await dashboard.create(tinyDraft(changes));
    await dashboard.visit("/workers");
    const busy = page.getByRole("row").filter({ has: page.getByRole("link", { name: id }) });
    await busy.waitFor();
    const worker = (await busy.getByRole("rowheader").textContent()) ?? "";
    await busy.getByRole("button", { name: "Drain" }).click();
    await page.getByText("draining").waitFor();
    await page.getByText("draining").waitFor({ state: "detached" });
    await dashboard.visit(`/experiments/${id}`);
    await state("succeeded");
    const { experiment } = await dashboard.api("GET", `experiments/${id}`);
    const [distilled, evaluated] = experiment.tasks.map(
      (task: { worker_id: string }) => task.worker_id,
    );
    assert.ok(worker.startsWith(distilled), `${worker} is not ${distilled}`);
    assert.notEqual(evaluated, distilled);
  });

  test("sees no failed script, and no request goes to another host", () => {
    assert.deepEqual(dashboard.complaints, []);
  });
});

interface ExperimentJson {
  readonly tasks: readonly {
    readonly result?: { readonly learners?: { readonly inits: readonly { accuracy?: number }[] } };
  }[];
}

/** Mean accuracy in percent, as shown on the page. */
function accuracyOf({ tasks }: ExperimentJson): string {
  const inits = tasks.flatMap(({ result }) => result?.learners?.inits ?? []);
  const mean = inits.reduce((sum, { accuracy = 0 }) => sum + accuracy, 0) / inits.length;
  return (100 * mean).toFixed(1);
}
