import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { curveChart } from "../../src/report/curve-chart.js";
import { needsDots, stepDomain, stepTicks } from "../../src/text/step-axis.js";

describe("an axis of steps", () => {
  it("has whole steps only, however few there are", () => {
    assert.deepEqual(stepTicks(0, 3), [0, 1, 2, 3]);
    assert.deepEqual(stepTicks(1, 2), [1, 2]);
    assert.deepEqual(
      stepTicks(90, 2_000),
      [200, 400, 600, 800, 1_000, 1_200, 1_400, 1_600, 1_800, 2_000],
    );
    for (const last of [1, 2, 7, 19, 430, 123_456]) {
      const ticks = stepTicks(0, last);
      assert.ok(ticks.length >= 2 && ticks.length <= 11, `${last}: ${ticks}`);
      assert.ok(ticks.every(Number.isInteger));
    }
  });

  it("has room for a single step", () => {
    assert.deepEqual(stepDomain([5]), [4, 6]);
    assert.deepEqual(stepDomain([0]), [0, 1]);
    assert.deepEqual(stepDomain([3, 9, 6]), [3, 9]);
    assert.deepEqual(stepDomain([]), [0, 1]);
  });
});

describe("a curve of one point", () => {
  it("is drawn as a dot", () => {
    assert.ok(needsDots([0.5]) && needsDots([null, 0.5, null]));
    assert.ok(!needsDots([0.1, 0.2, 0.3]));
    const curves = [{ label: "loss", seed: 0, points: [{ step: 1, value: 0.5 }] }];
    const chart = curveChart({ axis: "loss", curves, hasDots: false });
    assert.match(chart, /<circle/);
    const ticks = chart.split('aria-label="x-axis tick label"')[1]?.split("</g>")[0];
    assert.deepEqual(ticks?.match(/(?<=>)[^<]+(?=<)/g), ["0", "1", "2"]);
  });
});
