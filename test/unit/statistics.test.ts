import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { FRACTIONS, pairedDifference, studentQuantile, summarise } from "../../src/statistics.js";

describe("a summary of learners", () => {
  it("has the population standard deviation, and no spread of one", () => {
    const { mean, std, n } = summarise([0.8, 0.9]);
    assert.deepEqual([mean.toFixed(6), std?.toFixed(6), n], ["0.850000", "0.050000", 2]);
    assert.deepEqual(summarise([0.9]), { mean: 0.9, std: null, n: 1, interval95: null });
  });

  it("has a bootstrap interval near that of the normal distribution, the same at every call", () => {
    const values = Array.from({ length: 400 }, (_, at) => Math.sin(at * 12.9898) / 2);
    const { mean, std, interval95 } = summarise(values);
    const half = (1.96 * (std ?? 0)) / Math.sqrt(values.length);
    const [low, high] = interval95 ?? [0, 0];
    assert.ok(Math.abs(low - (mean - half)) < half / 5, `${low} is not near ${mean - half}`);
    assert.ok(Math.abs(high - (mean + half)) < half / 5, `${high} is not near ${mean + half}`);
    assert.deepEqual(summarise(values).interval95, interval95);
  });

  it("has no interval for two values", () => {
    assert.equal(summarise([0.8, 0.9]).interval95, null);
  });

  it("has the interval of Student's t for few values: mean ± t · s / √n", () => {
    const [low, high] = summarise([1, 2, 3, 4, 5]).interval95 ?? [];
    assert.equal(low?.toFixed(4), (3 - 2.776445 * Math.sqrt(2.5 / 5)).toFixed(4));
    assert.equal(high?.toFixed(4), (3 + 2.776445 * Math.sqrt(2.5 / 5)).toFixed(4));
  });

  it("has an interval within the range of possible values", () => {
    const [low, high] = summarise([0.99, 0.7, 0.99], FRACTIONS).interval95 ?? [];
    assert.ok((low ?? 0) > 0, `${low}`);
    assert.equal(high, 1);
  });

  for (const [count, rounds] of [
    [3, 4000],
    [5, 4000],
    [10, 4000],
    [29, 4000],
    [30, 500],
  ] as const) {
    it(`contains the mean that ${count} learners were drawn from in 95 % of cases`, () => {
      const draw = normals(count);
      let held = 0;
      for (let round = 0; round < rounds; round++) {
        const [low, high] = summarise(Array.from({ length: count }, draw)).interval95 ?? [1, -1];
        if (low <= 0 && 0 <= high) held += 1;
      }
      assert.ok(held / rounds >= 0.93, `${held / rounds}`);
      assert.ok(held / rounds <= 0.97, `${held / rounds}`);
    });
  }
});

describe("the quantile of Student's t", () => {
  it("is that of the printed tables", () => {
    const printed: [freedom: number, quantile: string][] = [
      [1, "12.7062047"],
      [2, "4.3026527"],
      [3, "3.1824463"],
      [4, "2.7764451"],
      [9, "2.2621572"],
      [28, "2.0484071"],
      [120, "1.9799304"],
    ];
    const own = printed.map(([freedom]) => [freedom, studentQuantile(0.95, freedom).toFixed(7)]);
    assert.deepEqual(own, printed);
    assert.equal(studentQuantile(0.99, 10).toFixed(6), "3.169273");
  });
});

describe("a paired difference", () => {
  const learners = (...values: number[]) =>
    new Map(values.map((value, at) => [String(at), value] as const));

  it("pairs learners with the same seeds, so that their common luck cancels out", () => {
    const gain = pairedDifference(learners(0.5, 0.7, 0.9), learners(0.4, 0.6, 0.8));
    assert.equal(gain?.mean.toFixed(6), "0.100000");
    assert.equal(gain?.interval95?.map((end) => end.toFixed(6)).join(" "), "0.100000 0.100000");
    assert.equal(pairedDifference(learners(0.5, 0.7), learners(0.4))?.n, 1);
  });

  it("has no interval where two learners have a partner, however many have none", () => {
    const gain = pairedDifference(learners(0.5, 0.7, 0.9, 0.9), learners(0.4, 0.3));
    assert.deepEqual([gain?.n, gain?.interval95], [2, null]);
  });

  it("is nothing where no learner has a partner", () => {
    assert.equal(pairedDifference(learners(0.5), new Map([["x", 0.4]])), null);
  });
});

/** Standard normal numbers by Box and Muller, from a linear congruential generator. */
function normals(seed: number): () => number {
  let state = seed;
  const uniform = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state + 0.5) / 2 ** 32;
  };
  return () => Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform());
}
