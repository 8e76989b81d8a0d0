import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { ResultView, RowId } from "../../../src/dashboard/model/result-view.js";
import {
  improvementText,
  recoveryText,
  scoresOf,
} from "../../../src/dashboard/model/score-view.js";
import { labelRobust } from "../../../src/results/relative-scores.js";
import { summarise } from "../../../src/statistics.js";

function row(id: RowId, ...accuracies: number[]): ResultView {
  const learners = accuracies.map((accuracy, initSeed) => ({
    ...{ initSeed, accuracy, loss: 0, macroF1: 0, confusion: [] },
  }));
  const accuracy = summarise(accuracies);
  const rest = { macroF1: 0, trainSamples: 4, gdSteps: 1, chosenLr: undefined };
  return { id, label: id, learners, accuracy, ...rest };
}

describe("relative scores on the page", () => {
  it("are those of the command: improvement over real samples, recovery and the score", () => {
    const { comparisons, hardLabelRecovery } = scoresOf([
      row("distilled", 0.8, 0.82),
      row("variation hard labels", 0.7, 0.72),
      row("variation random own labels", 0.6, 0.62),
      row("full", 0.9),
      row("random", 0.5, 0.52),
    ]);
    assert.equal(hardLabelRecovery?.toFixed(3), "0.190");
    assert.deepEqual(
      comparisons.map(({ id, iorHard, iorOwn }) => [
        id,
        iorHard?.mean.toFixed(2),
        iorOwn?.mean.toFixed(2),
      ]),
      [["random", "0.20", "0.20"]],
    );
    assert.equal(comparisons[0]?.labelRobustScore?.toFixed(3), labelRobust(0.2, 0.19).toFixed(3));
    assert.equal(recoveryText(0.19), "Hard-label recovery: 19.0 points below the full data.");
  });

  it("are left out where nothing real was measured, and their interval where there is none", () => {
    assert.deepEqual(scoresOf([row("distilled", 0.8)]).comparisons, []);
    assert.equal(recoveryText(null), undefined);
    assert.equal(improvementText(null), "–");
    assert.equal(improvementText({ mean: 0.05, std: null, n: 1, interval95: null }), "+5.0");
    const interval95 = [-0.01, 0.11] as const;
    assert.equal(improvementText({ mean: 0.05, std: 0.1, n: 9, interval95 }), "+5.0 [−1.0, +11.0]");
  });
});
