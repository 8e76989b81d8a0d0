import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { durationText } from "../../src/cli/stillhouse/state-words.js";
import { Task, TaskResult } from "../../src/generated/stillhouse/v1/experiment.js";

const START = new Date("2026-01-01T10:00:00Z");
const LATER = new Date("2026-01-01T12:00:00Z");

describe("how long a task took", () => {
  test("is what its attempts took, without the hours in which it was stopped", () => {
    const result = TaskResult.create({ wallTimeS: 90 });
    const task = Task.create({ startTime: START, endTime: LATER, result });
    assert.equal(durationText(task, LATER), "1 min 30 s");
    assert.equal(durationText({ ...task, reused: true }, LATER), "");
  });

  test("is the time since its start while there is no result", () => {
    assert.equal(durationText(Task.create(), LATER), "");
    assert.equal(durationText(Task.create({ startTime: START }), LATER), "2 h");
  });
});
