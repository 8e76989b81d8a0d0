import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { camelCase, fromWire, millis } from "../../../src/dashboard/server/wire.js";
import { Event, Task } from "../../../src/generated/stillhouse/v1/experiment.js";

describe("messages as the page reads them", () => {
  test("what ts-proto writes has TypeScript's names, oneofs as fields", () => {
    const task = Task.fromPartial({
      id: "x1-evaluate",
      cacheKey: "k",
      work: { kind: { $case: "evaluate", value: { initSeeds: [3, 4], artifactId: "a1" } } },
      result: {
        kind: {
          $case: "learners",
          value: { trainSamples: 4, inits: [{ initSeed: 3, macroF1: 0.5 }] },
        },
        wallTimeS: 2,
      },
    });
    const read = fromWire<Task>(JSON.parse(JSON.stringify(Task.toJSON(task))));
    assert.equal(read.cacheKey, "k");
    assert.deepEqual(read.work?.evaluate, { initSeeds: [3, 4], artifactId: "a1" });
    assert.equal(read.result?.wallTimeS, 2);
    assert.deepEqual(read.result?.learners?.inits, [{ initSeed: 3, macroF1: 0.5 }]);
  });

  test("keys of maps are data and stay as they are", () => {
    const event = Event.fromPartial({
      kind: { $case: "progress", value: { perSecond: 2, values: { validation_accuracy: 0.5 } } },
    });
    const read = fromWire<Event>(Event.toJSON(event));
    assert.equal(read.progress?.perSecond, 2);
    assert.deepEqual(read.progress?.values, { validation_accuracy: 0.5 });
  });

  test("a metric series keeps its list of values", () => {
    assert.deepEqual(fromWire({ num_points: "2", values: [0.5, null] }), {
      numPoints: "2",
      values: [0.5, null],
    });
  });

  test("names with digits", () => {
    assert.equal(camelCase("macro_f1"), "macroF1");
    assert.equal(camelCase("interval_95"), "interval95");
  });

  test("a time that is not there has no milliseconds", () => {
    assert.equal(millis("2026-11-25T12:00:00.500Z"), Date.UTC(2026, 10, 25, 12, 0, 0, 500));
    assert.equal(millis(undefined), undefined);
    assert.equal(millis("soon"), undefined);
  });
});
