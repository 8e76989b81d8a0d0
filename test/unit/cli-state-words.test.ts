import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { durationText, tookText } from "../../src/cli/stillhouse/state-words.js";
import { Experiment, Task, TaskResult } from "../../src/generated/stillhouse/v1/experiment.js";

const START = new Date("2026-01-01T10:00:00Z");
const LATER = new Date("2026-01-01T12:00:00Z");

describe("how long a task took", () => {
  test("is the time of its attempts, without the hours in which it was stopped", () => {
    const result = TaskResult.create({ wallTimeS: 90 });
    const task = Task.create({ startTime: START, endTime: LATER, result });
    assert.equal(durationText(task, LATER), "1 min 30 s");
    assert.equal(durationText({ ...task, reused: true }, LATER), "");
  });

  test("is that of its attempts as long as there is no result", () => {
    assert.equal(durationText(Task.create(), LATER), "");
    const task = Task.create({ startTime: START, ranS: 60 });
    assert.equal(durationText(task, LATER), "1 min");
    const attemptStartTime = new Date(LATER.getTime() - 30_000);
    assert.equal(durationText({ ...task, attemptStartTime }, LATER), "1 min 30 s");
    const waits = Task.create({ startTime: START });
    assert.equal(tookText(Experiment.create({ tasks: [task, task, waits] }), LATER), "2 min");
  });
});
