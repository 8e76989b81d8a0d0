import assert from "node:assert/strict";
import { describe, test } from "node:test";

import {
  comparisonOf,
  comparisonTable,
  hasSeveralDistillations,
  numberTable,
  settingsTable,
  tablesOf,
} from "../../../src/dashboard/model/comparison.js";
import { CompareExperimentsResponse as PageAnswer } from "../../../src/generated/page/stillhouse/v1/service.js";
import { ResultRow } from "../../../src/generated/stillhouse/v1/result.js";
import { CompareExperimentsResponse } from "../../../src/generated/stillhouse/v1/service.js";
import { type Row, testedRow } from "../../../src/results/rows.js";
import { summaryMessage } from "../../../src/results/score-message.js";
import { summarise } from "../../../src/statistics.js";
import { toCsv, toLatex } from "../../../src/text/table-text.js";

const ANSWER = PageAnswer.fromJSON(
  CompareExperimentsResponse.toJSON(
    CompareExperimentsResponse.fromPartial({
      differences: [{ field: "distilled.labels", values: ["none", "restricted"] }],
      experiments: [
        {
          experimentId: "a",
          accuracyMean: 0.7,
          accuracyStd: 0.02,
          accuracyInterval: { low: 0.69, high: 0.71 },
        },
        {
          experimentId: "b",
          accuracyMean: 0.75,
          accuracyStd: 0.01,
          gain: 0.05,
          gainInterval: { low: -0.01, high: 0.08 },
          sharedInits: 20,
        },
      ],
    }),
  ),
);

/** An experiment whose distilled data gave learners of these accuracies. */
function viewOf(id: string, seed: number, title: string, ...accuracies: number[]) {
  const row = testedRow({
    ...ResultRow.fromPartial({ id: "distilled", initSeeds: [0, 1], accuracies }),
    accuracy: summaryMessage(summarise(accuracies)),
  });
  return { id, seed, title, results: accuracies.length === 0 ? [] : [row as Row] };
}

/** Experiments of two settings, with these seeds. */
function answerOf(experiments: readonly { labels: string; seed: number }[]) {
  return PageAnswer.fromJSON({
    differences: [
      { field: "distilled.labels", values: experiments.map(({ labels }) => labels) },
      { field: "seed", values: experiments.map(({ seed }) => String(seed)) },
    ],
    experiments: experiments.map(({ labels, seed }) => ({ experiment_id: `${labels}${seed}` })),
  });
}

describe("a comparison", () => {
  const comparison = comparisonOf(ANSWER, [
    viewOf("a", 0, "first"),
    viewOf("b", 0, "50 % off_shore"),
  ]);

  test("states the difference to the first, with its interval", () => {
    assert.deepEqual(comparisonTable(comparison).rows, [
      ["first", "none", "70.0 ± 2.0", "69.0 to 71.0", "", ""],
      ["50 % off_shore", "restricted", "75.0 ± 1.0", "", "+5.0", "−1.0 to +8.0"],
    ]);
  });

  test("tells two of the same title apart by their ids", () => {
    const same = comparisonOf(ANSWER, [viewOf("a", 0, "x"), viewOf("b", 0, "x")]);
    assert.deepEqual(
      same.experiments.map(({ label }) => label),
      ["x (a)", "x (b)"],
    );
  });

  test("as LaTeX escapes what LaTeX would read", () => {
    const latex = toLatex(comparisonTable(comparison));
    assert.match(latex, /\\begin\{tabular\}\{llllll\}/);
    assert.match(
      latex,
      /50 \\% off\\_shore & restricted & 75\.0 \$\\pm\$ 1\.0 & {2}& \+5\.0 & \$-\$1\.0 to \+8\.0 \\\\/,
    );
    assert.match(latex, /distilled\.labels/);
  });

  test("as CSV has the numbers themselves, quoted where needed", () => {
    const csv = toCsv(numberTable(comparison));
    const [head, first, second] = csv.split("\r\n");
    assert.equal(head?.split(",")[3], "accuracy_mean");
    assert.equal(first, "a,first,none,0.7,0.02,0.69,0.71,,,,0,,");
    assert.equal(second, "b,50 % off_shore,restricted,0.75,0.01,,,0.05,-0.01,0.08,20,,");
  });
});

describe("a comparison of several distillations", () => {
  const experiments = ["none", "restricted"].flatMap((labels) =>
    [0, 1, 2].map((seed) => ({ labels, seed })),
  );
  const views = experiments.map(({ labels, seed }) => {
    const mean = labels === "none" ? 0.6 + seed / 10 : 0.7 + seed / 20;
    return viewOf(`${labels}${seed}`, seed, `${labels} labels`, mean - 0.01, mean + 0.01);
  });
  const comparison = comparisonOf(answerOf(experiments), views);

  test("puts experiments that differ in their seed alone into one row, with both spreads", () => {
    assert.deepEqual(settingsTable(comparison).head.slice(0, 3), [
      "setting",
      "distilled.labels",
      "distillations",
    ]);
    assert.deepEqual(settingsTable(comparison).rows, [
      ["none labels", "none", "3", "70.0 ± 8.2", "± 8.2", "45.2 to 94.8", ""],
      [
        ...["restricted labels", "restricted", "3", "75.0 ± 4.2", "± 4.1", "62.6 to 87.4"],
        "+5.0 [−7.4, +17.4] ± 4.1 (3 shared seeds)",
      ],
    ]);
    assert.match(comparison.note, /tells nothing\.$/);
    assert.equal(tablesOf(comparison).length, 2);
  });

  test("as CSV gives every experiment the spread between the distillations of its setting", () => {
    const { head, rows } = numberTable(comparison);
    const columns = ["id", "distillations", "distillations_std"].map((name) => head.indexOf(name));
    const cells = rows.map((row) => columns.map((at) => row[at]));
    assert.deepEqual(
      cells.map(([id, count, std]) => [id, count, Number(std).toFixed(4)]),
      experiments.map(({ labels, seed }) => {
        // Deviations of 0.1 and 0.05 from the mean, divided by three seeds.
        return [`${labels}${seed}`, "3", labels === "none" ? "0.0816" : "0.0408"];
      }),
    );
    const [once] = experiments;
    assert.ok(once);
    const [alone] = numberTable(comparisonOf(answerOf([once]), views)).rows;
    assert.deepEqual(alone?.slice(-2), ["1", ""], "one distillation has no spread");
  });

  test("says that each was distilled once where each was, and has no second table", () => {
    const first = experiments.filter(({ seed }) => seed === 0);
    const once = comparisonOf(answerOf(first), views);
    assert.match(once.note, /^One distillation each/);
    assert.equal(hasSeveralDistillations(once), false);
    assert.equal(tablesOf(once).length, 1);
  });

  test("counts a distillation that two experiments share once", () => {
    const [first] = experiments;
    assert.ok(first);
    const twice = comparisonOf(answerOf([first, first]), views);
    assert.equal(twice.settings[0]?.spread?.distillations.n, 1);
    assert.equal(twice.note, "", "there is nothing to compare with");
  });

  test("has no difference to settings without a seed of its own", () => {
    const others = experiments.filter(({ labels, seed }) => (labels === "none") === (seed === 0));
    const [, restricted] = comparisonOf(answerOf(others), views).settings;
    assert.equal(restricted?.difference, undefined);
    assert.equal(restricted?.spread?.distillations.n, 2);
  });
});
