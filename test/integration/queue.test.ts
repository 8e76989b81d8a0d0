import assert from "node:assert/strict";
import { describe } from "node:test";
import { FailureKind } from "../../src/errors.js";
import { State } from "../../src/generated/stillhouse/v1/experiment.js";
import { ExperimentOrder } from "../../src/generated/stillhouse/v1/service.js";
import { quickSpec } from "../fixtures/experiments.js";
import { fails } from "../fixtures/fails.js";
import { it } from "../fixtures/waiting.js";
import { TestPlane } from "./test-plane.js";

const NEXT = ExperimentOrder.NEXT_FIRST;

describe("the queue", () => {
  it("is listed in the order in which tasks will start, not by age", async (test) => {
    const { client } = await TestPlane.start(test);
    const made = [];
    for (const priority of [0, -1, 5]) {
      made.push((await client.create(quickSpec(10 + priority), "", undefined, { priority })).id);
    }
    const [first, last, urgent] = made;
    const { experiments } = await client.list(10, "", {}, NEXT);
    assert.deepEqual(
      experiments.map(({ id }) => id),
      [urgent, first, last],
    );
    assert.equal(
      (await client.list(2, "", { states: [State.QUEUED] }, NEXT)).experiments.length,
      2,
    );
    await assert.rejects(
      client.list(10, "", { text: "x" }, NEXT),
      fails(FailureKind.INVALID, /NEXT_FIRST/, "order"),
    );
  });
});
