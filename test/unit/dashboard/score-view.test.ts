import assert from "node:assert/strict";
import { test } from "node:test";
import { improvementText, recoveryText } from "../../../src/dashboard/model/score-view.js";

test("scores are shown in points, and their interval where there is one", () => {
  assert.equal(recoveryText(0.19), "Hard-label recovery: 19.0 points below the full data.");
  assert.equal(recoveryText(null), undefined);
  assert.equal(improvementText(null), "–");
  assert.equal(improvementText({ mean: 0.05, std: null, n: 1, interval95: null }), "+5.0");
  const interval95 = [-0.01, 0.11] as const;
  assert.equal(improvementText({ mean: 0.05, std: 0.1, n: 9, interval95 }), "+5.0 [−1.0, +11.0]");
});
