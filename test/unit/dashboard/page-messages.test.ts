import assert from "node:assert/strict";
import { describe, test } from "node:test";

import {
  Event as PageEvent,
  Task as PageTask,
} from "../../../src/generated/page/stillhouse/v1/experiment.js";
import { Event, Task } from "../../../src/generated/stillhouse/v1/experiment.js";

function sent(json: unknown): unknown {
  return JSON.parse(JSON.stringify(json));
}

describe("messages as the page reads them", () => {
  test("a task has its oneofs, its times and the defaults of what is absent", () => {
    const task = Task.fromPartial({
      id: "x1-evaluate",
      cacheKey: "k",
      startTime: new Date("2026-11-25T12:00:00.500Z"),
      work: { kind: { $case: "evaluate", value: { initSeeds: [3, 4], artifactId: "a1" } } },
      result: {
        kind: {
          $case: "learners",
          value: { trainSamples: 4, inits: [{ initSeed: 3, macroF1: 0.5 }] },
        },
      },
    });
    const read = PageTask.fromJSON(sent(Task.toJSON(task)));
    assert.equal(read.cacheKey, "k");
    assert.equal(read.attempt, 0);
    assert.equal(read.startTime?.getTime(), Date.UTC(2026, 10, 25, 12, 0, 0, 500));
    assert.equal(read.endTime, undefined);
    assert.ok(read.work?.kind?.$case === "evaluate");
    assert.deepEqual(read.work.kind.value.initSeeds, [3, 4]);
    assert.ok(read.result?.kind?.$case === "learners");
    assert.equal(read.result.kind.value.inits[0]?.macroF1, 0.5);
  });

  test("keys of maps are data and stay as they are; numbers of 64 bits are numbers", () => {
    const event = Event.fromPartial({
      sequence: 7n,
      kind: { $case: "progress", value: { done: 3n, values: { validation_accuracy: 0.5 } } },
    });
    const read = PageEvent.fromJSON(sent(Event.toJSON(event)));
    assert.ok(read.kind?.$case === "progress");
    assert.deepEqual([read.sequence, read.kind.value.done], [7, 3]);
    assert.deepEqual(read.kind.value.values, { validation_accuracy: 0.5 });
  });

  test("a metric that is not a number stays NaN", () => {
    const points = [{ name: "outer_loss", value: Number.NaN }];
    const event = Event.fromPartial({ kind: { $case: "metrics", value: { points } } });
    const read = PageEvent.fromJSON(sent(Event.toJSON(event)));
    assert.ok(read.kind?.$case === "metrics");
    assert.ok(Number.isNaN(read.kind.value.points[0]?.value));
  });
});
