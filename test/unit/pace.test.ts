import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Pace } from "../../src/experiment/scheduling/pace.js";

describe("a pace", () => {
  /** Does pieces of work for a while, and counts what they took. */
  function workedMs(pieceMs: number, durationMs: number): number {
    let nowMs = 0;
    let doneMs = 0;
    const pace = new Pace(() => nowMs);
    while (nowMs < durationMs) {
      const pauseMs = pace.pauseMs();
      nowMs += pauseMs;
      if (pauseMs > 0) continue;
      pace.spend(() => {
        nowMs += pieceMs;
        doneMs += pieceMs;
      });
    }
    return doneMs;
  }

  it("lets a short burst pass without a break", () => {
    assert.equal(workedMs(1, 20), 20);
  });

  it("leaves half of the time to others in the long run, however long a piece takes", () => {
    for (const pieceMs of [1, 25, 400]) {
      const doneMs = workedMs(pieceMs, 100_000);
      assert.ok(doneMs > 45_000 && doneMs < 55_000, `${pieceMs} ms: ${doneMs}`);
    }
  });

  it("counts a piece that fails", () => {
    let nowMs = 0;
    const pace = new Pace(() => nowMs);
    const fail = () => {
      nowMs += 100;
      throw new Error("no");
    };
    assert.throws(() => pace.spend(fail), /no/);
    assert.ok(pace.pauseMs() > 0);
  });
});
