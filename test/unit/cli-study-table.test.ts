import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { cellsOf, keyOf } from "../../src/cli/reproduce/reproduce-cells.js";
import { differencesOf, numbersOf } from "../../src/cli/reproduce/reproduce-columns.js";
import {
  failureLines,
  reproduceDocument,
  reproduceText,
} from "../../src/cli/reproduce/reproduce-output.js";
import { reproducedTables } from "../../src/cli/reproduce/study-table.js";
import type { Outcome } from "../../src/cli/run/experiment-runner.js";
import { FailureKind } from "../../src/errors.js";
import { Experiment, State } from "../../src/generated/stillhouse/v1/experiment.js";
import { ExperimentSpec } from "../../src/generated/stillhouse/v1/spec.js";
import { experimentResult } from "../../src/results/experiment-result.js";
import { resolveSpec } from "../../src/settings/resolve.js";
import { failureOf } from "../fixtures/experiments.js";
import { factsOf } from "../fixtures/facts.js";

const TABLES = ["full-data", "soft-labels"];
/** For each seed the accuracies of the rows, in order; an empty row has failed. */
const ACCURACIES: Record<number, number[][]> = {
  0: [[0.9], [0.5, 0.7], [0.6, 0.9], [0.8, 0.8]],
  1: [[0.92], [0.5, 0.6], [], [0.7, 0.9]],
};

const EMPTY = { rows: [], published: undefined };
const FILES = { report: "report.md", page: "report.html" };

const cells = cellsOf({ tables: TABLES, seeds: [0, 1], given: new Map() }, undefined);
const outcomes = cells.map(({ draft }, at) => {
  const { spec } = resolveSpec(draft, factsOf());
  const accuracies = ACCURACIES[spec.seed ?? 0]?.[at % 4] ?? [];
  const inits = accuracies.map((accuracy, index) => ({
    ...{ init_seed: index, accuracy, macro_f1: accuracy - 0.1, loss: 1 - accuracy },
    train_time_s: 1 + (spec.seed ?? 0),
    confusion: [1, 2, 3, 4],
  }));
  const work =
    at % 4 === 0 ? { baseline: { kind: "BASELINE_KIND_FULL" } } : { evaluate: { init_seeds: [0] } };
  const result = { wall_time_s: 60, learners: { inits, train_samples: 4, gd_steps: 1 } };
  const task = { id: `x${at}-t`, cache_key: `k${at}`, work, result };
  const end =
    inits.length > 0
      ? { state: "STATE_SUCCEEDED", tasks: [task] }
      : { state: "STATE_FAILED", failure: { message: "the loss is nan" } };
  const stored = Experiment.fromJSON({
    ...{ id: `x${at}`, spec: ExperimentSpec.toJSON(spec) },
    ...end,
  });
  const experiment = { ...stored, result: experimentResult(spec, stored.tasks) };
  return { experiment, artifactPath: "" };
});
const [full, soft] = reproducedTables(TABLES, (table, row) =>
  outcomes.filter((_, at) => cells[at]?.key === keyOf(table, row)),
);

describe("a table of the study", () => {
  it("has means over the learners of all seeds that did not fail", () => {
    const numbers = numbersOf(soft ?? EMPTY, true).rows.map((cells) =>
      [3, 4, 6, 7, 8].map((at) => cells[at]),
    );
    assert.deepEqual(numbers, [
      ["91.0 ± 1.0 (seeds ± 1.0)", "2", "81.0", "0.09", "1.5 s"],
      ["57.5 ± 8.3 (seeds ± 2.5)", "4", "47.5", "0.425", "1.5 s"],
      ["75.0 ± 15.0", "2", "65.0", "0.25", "1 s"],
      ["80.0 ± 7.1 (seeds ± 0.0)", "4", "70.0", "0.2", "1.5 s"],
    ]);
    assert.deepEqual(failureLines(soft?.rows ?? []), [
      "SL restricted, seed 1 has failed: the loss is nan",
    ]);
  });

  it("compares each row with all of distilled data above it, over learners and over distillations", () => {
    const differences = differencesOf(soft?.rows ?? []);
    assert.deepEqual(differences?.head, ["row, minus", "hard labels", "SL restricted"]);
    const [restricted, unrestricted] = differences?.rows ?? [];
    assert.match(restricted?.join("|") ?? "", /^SL restricted\|\+15\.0\|$/);
    // By seed the means differ by 20 and by 25 points; only seed 0 has a row to subtract.
    assert.match(
      unrestricted?.join("|") ?? "",
      /^SL unrestricted\|\+22\.5 \[\S+, \S+\] \(seeds ± 2\.5\)\|\+5\.0$/,
    );
    assert.equal(differencesOf(full?.rows ?? []), undefined);
  });

  it("calls no row better or best, and says what a difference can tell", () => {
    const tables = [soft].flatMap((table) => table ?? []);
    const text = reproduceText(tables, FILES);
    assert.match(text, /no greater than the ± between distillations tells nothing\. Where/);
    const once = reproducedTables(TABLES, (table, row) =>
      outcomes.filter((_, at) => at < 4 && cells[at]?.key === keyOf(table, row)),
    );
    assert.match(reproduceText(once, FILES), /One distillation each:/);
    for (const shown of [text, reproduceText(once, FILES)]) {
      assert.doesNotMatch(shown, /\bbest\b|\bbetter\b|\bgain\b|[↑▲]/i);
    }
  });

  it("gives the computing time, each task once, and is a JSON document", () => {
    assert.deepEqual([full?.computingS, soft?.computingS], [120, 420]);
    const { tables } = reproduceDocument(
      [soft].flatMap((table) => table ?? []),
      FILES,
    ) as {
      tables: { computing_s: number; rows: Record<string, unknown>[] }[];
    };
    const [, hard, restricted] = tables[0]?.rows ?? [];
    assert.equal(tables[0]?.computing_s, 420);
    const { distillations } = hard as { distillations: { std: number; n: number } };
    assert.equal(distillations.n, 2);
    assert.equal(distillations.std, hard?.std_between_seeds);
    assert.deepEqual([hard?.macro_f1, hard?.gain, hard?.failed], [0.475, null, []]);
    assert.deepEqual(
      hard?.confusion,
      [
        [4, 8],
        [12, 16],
      ],
      "of four learners",
    );
    assert.deepEqual(restricted?.failed, [
      { seed: 1, experiment_id: "x6", reason: "the loss is nan" },
    ]);
  });

  it("names a row that was stopped or has failed, with the study's figure", () => {
    const shownWith = (change: Partial<Experiment>) => {
      const [{ experiment, ...rest }] = outcomes as [Outcome];
      const none = { ...rest, experiment: { ...experiment, ...change, tasks: [] } };
      const [table] = reproducedTables(["full-data"], () => [none]);
      const shown = table ?? EMPTY;
      return [...(numbersOf(shown, false).rows[0] ?? []), ...failureLines(shown.rows)];
    };
    assert.deepEqual(shownWith({ state: State.CANCELLED }), [
      ...["Full data", "", "", "stopped", "", "", "94.7"],
      "Full data, seed 0 was stopped",
    ]);
    const failure = failureOf(FailureKind.DIVERGED);
    assert.deepEqual(shownWith({ state: State.FAILED, failure }), [
      ...["Full data", "", "", "failed", "", "", "94.7"],
      `Full data, seed 0 has failed: ${failure.message}`,
    ]);
  });
});
