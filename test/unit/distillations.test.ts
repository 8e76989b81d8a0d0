import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  comparisonNote,
  rowOverSeeds,
  type SeedRow,
  spreadOf,
  spreadOfDifference,
} from "../../src/results/distillations.js";
import { type Row, testedRow } from "../../src/results/rows.js";
import { summaryMessage } from "../../src/results/score-message.js";
import { summarise } from "../../src/statistics.js";

/** The row of a distillation whose learners have these accuracies. */
function rowOf(...accuracies: number[]): Row {
  const row = testedRow({
    ...{ id: "distilled", kind: "RESULT_KIND_DISTILLED", state: "RESULT_STATE_COMPLETE" },
    ...{ label: "Distilled data", variant: "none", condition: "", taskIds: [], failure: "" },
    initSeeds: accuracies.map((_, at) => at),
    ...{ accuracies, accuracy: summaryMessage(summarise(accuracies)), macroF1: 0.5, loss: 1 },
    ...{ trainSamples: 4, gdSteps: 1, trainTimeS: accuracies.length, confusion: [1, 2, 3, 4] },
  });
  assert.ok(row);
  return row;
}

function seeds(...rows: Row[]): [SeedRow, ...SeedRow[]] {
  return rows.map((row, seed) => ({ seed, row })) as [SeedRow, ...SeedRow[]];
}

const rounded = (values: readonly (number | null | undefined)[] | null | undefined) =>
  values?.map((value) => value?.toFixed(4));

describe("the spread of a setting", () => {
  it("is counted once over its learners and once over its distillations", () => {
    const { learners, distillations } = spreadOf([rowOf(0.6, 0.8), rowOf(0.8, 1)]);
    // Deviations 0.2, 0, 0, 0.2 of learners, 0.1 and 0.1 of distillations; divided by n.
    assert.deepEqual(rounded([learners.mean, learners.std]), ["0.8000", "0.1414"]);
    assert.deepEqual(rounded([distillations.mean, distillations.std]), ["0.8000", "0.1000"]);
    assert.deepEqual([learners.n, distillations.n], [4, 2]);
  });

  it("has Student's t between distillations from three on, and no interval below", () => {
    const [two, three] = [
      [0.5, 0.6],
      [0.5, 0.6, 0.7],
    ].map((means) => spreadOf(means.map((mean) => rowOf(mean, mean))));
    assert.equal(two?.distillations.interval95, null);
    // 0.6 ± 4.3027 · 0.1 / √3
    assert.deepEqual(rounded(three?.distillations.interval95), ["0.3516", "0.8484"]);
  });

  it("has no ± between distillations where there is one", () => {
    const { learners, distillations } = spreadOf([rowOf(0.6, 0.8)]);
    assert.notEqual(learners.std, null);
    assert.deepEqual([distillations.std, distillations.n], [null, 1]);
  });
});

describe("the difference of two settings", () => {
  it("has a spread between the distillations with the same seeds", () => {
    const spread = spreadOfDifference(
      seeds(rowOf(0.7, 0.9), rowOf(0.6, 0.8)),
      seeds(rowOf(0.5, 0.7), rowOf(0.6, 0.8), rowOf(0, 0)),
    );
    assert.deepEqual(rounded([spread?.learners.mean, spread?.learners.std]), ["0.1000", "0.1000"]);
    assert.deepEqual(rounded([spread?.distillations.std]), ["0.1000"]);
    assert.deepEqual([spread?.learners.n, spread?.distillations.n], [4, 2]);
  });

  it("is null where no seed is in both", () => {
    const other = [{ seed: 7, row: rowOf(0.5) }];
    assert.equal(spreadOfDifference(seeds(rowOf(0.6)), other), null);
  });
});

it("a row over seeds counts every learner and every test row", () => {
  const row = rowOverSeeds(seeds(rowOf(0.6), rowOf(0.8, 1)));
  assert.deepEqual([...row.learners.keys()], ["0/0", "1/0", "1/1"]);
  assert.deepEqual(row.confusion, [
    [2, 4],
    [6, 8],
  ]);
  assert.equal(row.trainTimeS, 1.5);
  assert.equal(row.accuracy.n, 3);
});

it("a baseline that several seeds share counts once", () => {
  const row = { ...rowOf(0.9, 0.92), kind: "baseline" as const };
  const shared = rowOverSeeds(seeds(row, row, row));
  assert.deepEqual([shared.spread.learners.n, shared.spread.distillations.n], [2, 1]);
  assert.equal(shared.spread.distillations.std, null);
  const own = rowOverSeeds(seeds(row, { ...rowOf(0.9, 0.91), kind: "baseline" }, row));
  assert.deepEqual([own.spread.learners.n, own.spread.distillations.n], [4, 2]);
  const distilled = rowOverSeeds(seeds(rowOf(0.5), rowOf(0.5)));
  assert.deepEqual([distilled.spread.distillations.n, distilled.spread.distillations.std], [2, 0]);
});

it("a comparison says how often its settings were distilled", () => {
  assert.match(comparisonNote([1, 1]), /^One distillation each/);
  assert.match(comparisonNote([3, 2]), /^A difference .* tells nothing\.$/);
  assert.match(comparisonNote([3, 1]), /tells nothing\. .* one distillation\.$/);
});
