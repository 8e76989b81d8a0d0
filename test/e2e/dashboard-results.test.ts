import assert from "node:assert/strict";
import { after, before, describe } from "node:test";
import type { Page } from "playwright-core";
import { Experiment, type Task } from "../../src/generated/stillhouse/v1/experiment.js";
import {
  GetMetricSeriesResponse,
  MetricDescriptor,
} from "../../src/generated/stillhouse/v1/service.js";
import type { ExperimentSpec } from "../../src/generated/stillhouse/v1/spec.js";
import { DatasetFound, RobustnessSpec } from "../../src/generated/stillhouse/v1/spec.js";
import { metricDescriptor } from "../../src/metric-descriptors.js";
import { skippedWithoutChromium } from "../fixtures/chromium.js";
import { DashboardPage } from "../fixtures/dashboard-page.js";
import { resolvedSpec } from "../fixtures/experiments.js";
import { finishedExperiment } from "../fixtures/finished-experiment.js";
import { it as test } from "../fixtures/waiting.js";

const CLASSES = { classNames: ["warm", "cold"], testRowsInTrain: 3 };

function specWith(robustness?: RobustnessSpec): ExperimentSpec {
  const spec = resolvedSpec();
  const dataset = { ...spec.dataset, found: DatasetFound.fromPartial(CLASSES) };
  return { ...spec, dataset, robustness } as ExperimentSpec;
}

/** An experiment as the server would return it, with the chosen tasks of the fixture. */
function stored(id: string, spec: ExperimentSpec, isChosen: (task: Task) => boolean): Experiment {
  const experiment = finishedExperiment(spec);
  return { ...experiment, id, tasks: experiment.tasks.filter(isChosen) };
}

const isBaseline = ({ work }: Task) => work?.kind?.$case === "baseline";
const isLearned = ({ work }: Task) => work?.kind?.$case !== "distill";
const TRIED = specWith(RobustnessSpec.create({ artifactId: "source1" }));
const EXPERIMENTS = [
  stored("source1", specWith(), () => true),
  stored("tried1", TRIED, isLearned),
  stored("baselines1", specWith(), isBaseline),
];
/** One point: a curve of a run that was stopped early. */
const POINT = { name: "outer_loss", num_points: 1, steps: [1], values: [0.7] };
const descriptor = MetricDescriptor.toJSON(metricDescriptor(POINT.name));
const SERIES = { series: [{ task_id: "x1-distill", ...POINT, descriptor }] };

const ENDED_STREAM = { contentType: "text/event-stream", body: "event: end\ndata: {}\n\n" };

describe("results on the page", { skip: skippedWithoutChromium() }, () => {
  let dashboard: DashboardPage;
  let page: Page;

  before(async () => {
    dashboard = await DashboardPage.open();
    page = dashboard.page;
    for (const experiment of EXPERIMENTS) {
      const path = `**/api/v1/experiments/${experiment.id}`;
      const body = { experiment: Experiment.toJSON(experiment) };
      await page.route(path, (route) => route.fulfill({ json: body }));
      const json = GetMetricSeriesResponse.toJSON(GetMetricSeriesResponse.fromJSON(SERIES));
      await page.route(`${path}/series**`, (route) => route.fulfill({ json }));
      // The page asks for curves once the stream is open; that of an ended experiment ends at once.
      await page.route(`${path}/events`, (route) => route.fulfill(ENDED_STREAM));
    }
  });

  after(() => dashboard?.close());

  test("classes have their names even where there is no artifact", async () => {
    await dashboard.visit("/experiments/baselines1");
    const confusion = page.getByRole("region", { name: "Confusion, Full data" });
    await confusion.waitFor();
    assert.deepEqual(await confusion.getByRole("rowheader").allTextContents(), ["warm", "cold"]);
    await page.getByText("; of 1 learner.").waitFor();
  });

  test("a warning above the results names test rows that are in train", async () => {
    await page.getByText("WARNING: 3 test rows are also in train").waitFor();
  });

  test("a row of two learners has no interval", async () => {
    const row = page.getByRole("row", { name: /Random real samples/ });
    await row.first().waitFor();
    const heads = await page
      .getByRole("region", { name: "Accuracy by training data" })
      .getByRole("columnheader")
      .allTextContents();
    const cells = await row.first().getByRole("cell").allTextContents();
    // The first column holds the row headers, which are no cells.
    const cellOf = (head: string) => cells[heads.indexOf(head) - 1];
    assert.equal(cellOf("Learners"), "2");
    assert.equal(cellOf("95 % interval"), "–");
  });

  test("a robustness experiment links to its source, with its scores beside real samples", async () => {
    await dashboard.visit("/experiments/tried1");
    const link = page.getByRole("link", { name: "source1", exact: true });
    await link.waitFor();
    assert.equal(await link.getAttribute("href"), "/experiments/source1#distilled-title");
    await page.getByText(/^One distillation: ± and intervals are between learners/).waitFor();
    const scores = page.getByRole("region", { name: "Relative scores" });
    await scores.getByRole("rowheader", { name: "random" }).waitFor();
    const confusion = page.getByRole("region", { name: "Confusion, Distilled data" });
    assert.deepEqual(await confusion.getByRole("rowheader").allTextContents(), ["warm", "cold"]);
    await link.click();
    await page.waitForURL(/\/experiments\/source1/);
    await page.locator("#curves-title").scrollIntoViewIfNeeded();
    await page.getByRole("img", { name: /Loss\. .*1 point/ }).waitFor();
  });
});
