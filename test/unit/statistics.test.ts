import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { pairedDifference, summarise } from "../../src/statistics.js";

describe("a summary of learners", () => {
  it("has the population standard deviation, and no spread of one", () => {
    const { mean, std, n } = summarise([0.8, 0.9]);
    assert.deepEqual([mean.toFixed(6), std?.toFixed(6), n], ["0.850000", "0.050000", 2]);
    assert.deepEqual(summarise([0.9]), { mean: 0.9, std: null, n: 1, interval95: null });
  });

  it("has a bootstrap interval near that of the normal law, the same at every call", () => {
    const values = Array.from({ length: 400 }, (_, at) => Math.sin(at * 12.9898) / 2);
    const { mean, std, interval95 } = summarise(values);
    const half = (1.96 * (std ?? 0)) / Math.sqrt(values.length);
    const [low, high] = interval95 ?? [0, 0];
    assert.ok(Math.abs(low - (mean - half)) < half / 5, `${low} is not near ${mean - half}`);
    assert.ok(Math.abs(high - (mean + half)) < half / 5, `${high} is not near ${mean + half}`);
    assert.deepEqual(summarise(values).interval95, interval95);
  });
});

describe("a paired difference", () => {
  const learners = (...values: number[]) =>
    new Map(values.map((value, at) => [String(at), value] as const));

  it("is that of the learners with the same seeds, so their common luck cancels out", () => {
    const gain = pairedDifference(learners(0.5, 0.7, 0.9), learners(0.4, 0.6, 0.8));
    assert.equal(gain?.mean.toFixed(6), "0.100000");
    assert.equal(gain?.interval95?.map((end) => end.toFixed(6)).join(" "), "0.100000 0.100000");
    assert.equal(pairedDifference(learners(0.5, 0.7), learners(0.4))?.n, 1);
  });

  it("is nothing where no learner has a partner", () => {
    assert.equal(pairedDifference(learners(0.5), new Map([["x", 0.4]])), null);
  });
});
