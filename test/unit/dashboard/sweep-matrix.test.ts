import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { unfinishedText } from "../../../src/dashboard/model/sweep-matrix.js";
import { summarise } from "../../../src/statistics.js";

describe("a cell of a sweep", () => {
  it("counts only experiments that will still end as to come", () => {
    const accuracy = summarise([0.5]);
    const states = ["succeeded", "running", "queued", "failed", "cancelled", "cancelled"] as const;
    const views = states.map((state) => ({
      state,
      accuracy: state === "succeeded" ? accuracy : undefined,
    }));
    assert.deepEqual(unfinishedText(views), ["2 to come", "1 failed", "2 cancelled"]);
    assert.deepEqual(unfinishedText([{ state: "succeeded", accuracy }]), []);
  });
});
