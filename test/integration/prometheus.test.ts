import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe } from "node:test";
import { State } from "../../src/generated/stillhouse/v1/experiment.js";
import { dashboardFiles } from "../../src/grafana/dashboards.js";
import { missingProgram } from "../fixtures/debian-program.js";
import { Prometheus } from "../fixtures/prometheus.js";
import { PROJECT, PYTHON, tinyDraft } from "../fixtures/tiny.js";
import { it } from "../fixtures/waiting.js";
import { TestPlane } from "./test-plane.js";

const skip = missingProgram("prometheus", "prometheus");
const DOCKER = join(PROJECT, "docker");

interface PanelJson {
  readonly title: string;
  readonly targets?: readonly { readonly expr: string }[];
}

/** A run that takes seconds. */
const QUICK = { "outer-steps": 10, validations: 2, inits: 2, baselines: "full" };

/** An expression with values for the variables that a person chooses on a page of Grafana. */
function asked(expression: string): string {
  return expression.replaceAll("$__rate_interval", "1m").replaceAll(/\$(experiment|worker)/g, ".*");
}

function promtool(...args: string[]): void {
  const { status, stdout, stderr } = spawnSync("promtool", args, { encoding: "utf8" });
  assert.equal(status, 0, `promtool ${args.join(" ")}\n${stdout}${stderr}`);
}

describe("Prometheus", () => {
  it("accepts configuration and rules, and alerts fire when they should", {
    skip,
  }, () => {
    const folder = join(DOCKER, "prometheus");
    const rules = readdirSync(join(folder, "rules")).map((name) => join(folder, "rules", name));
    promtool("check", "rules", ...rules);
    promtool("check", "config", "--syntax-only", join(folder, "prometheus.yml"));
    promtool("test", "rules", join(folder, "tests", "rules.test.yml"));
  });

  it("scrapes a real run, after which every panel of Grafana has data", {
    skip,
  }, async (test) => {
    const plane = await TestPlane.start(test, {
      http: { port: 0 },
      pythonPath: PYTHON,
      numWorkers: 1,
      timings: { heartbeatIntervalMs: 300 },
    });
    const prometheus = await Prometheus.start(test, plane.plane.httpAddress);
    await prometheus.until('up{job="stillhouse"} == 1');
    const { spec } = await plane.client.resolve(tinyDraft(QUICK));
    assert.ok(spec);
    const { id } = await plane.client.create(spec, "");
    const experiment = await plane.ended(id);
    assert.equal(experiment.state, State.SUCCEEDED, experiment.failure?.message);
    const finished = 'stillhouse_experiments_finished_total{state="succeeded"} == 1';
    await prometheus.until(finished);

    const [steps] = await prometheus.query("stillhouse_outer_steps_total");
    assert.equal(steps?.value, 10);
    const [accuracy] = await prometheus.query(
      `stillhouse_experiment_accuracy_ratio{experiment="${id}",learners="distilled"}`,
    );
    const evaluation = experiment.tasks.find(({ work }) => work?.kind?.$case === "evaluate");
    const learners = evaluation?.result?.kind;
    assert.ok(learners?.$case === "learners");
    const accuracies = learners.value.inits.map((each) => each.accuracy);
    const mean = accuracies.reduce((sum, value) => sum + value, 0) / accuracies.length;
    assert.ok(Math.abs((accuracy?.value ?? 0) - mean) < 1e-9);
    await prometheus.until("stillhouse:experiment_accuracy:ratio_to_full");

    const silent: string[] = [];
    let panels = 0;
    for (const [file, text] of Object.entries(dashboardFiles())) {
      const { panels: all } = JSON.parse(text) as { panels: PanelJson[] };
      for (const { title, targets = [] } of all) {
        for (const { expr } of targets) {
          panels++;
          const samples = await prometheus.query(asked(expr));
          const hasNumber = samples.some(({ value }) => Number.isFinite(value));
          if (!hasNumber) silent.push(`${file}: ${title}: ${expr}`);
        }
      }
    }
    assert.ok(panels > 30, `only ${panels} expressions were read`);
    assert.deepEqual(silent, []);
  });
});

describe("the dashboards of Grafana", () => {
  it("equal what npm run grafana writes", () => {
    const folder = join(DOCKER, "grafana", "dashboards");
    const files = dashboardFiles();
    assert.deepEqual(readdirSync(folder).sort(), Object.keys(files).sort());
    for (const [name, text] of Object.entries(files)) {
      assert.equal(readFileSync(join(folder, name), "utf8"), text, `${name}: run npm run grafana`);
    }
  });
});
