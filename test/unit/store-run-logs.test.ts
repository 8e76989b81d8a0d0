import assert from "node:assert/strict";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { type Event, LogLevel, State, Task } from "../../src/generated/stillhouse/v1/experiment.js";
import { RunLogs } from "../../src/store/run-logs.js";
import { Trash } from "../../src/store/trash.js";
import { temporaryFolder } from "../fixtures/temporary-folder.js";

const TIME = new Date("2026-11-24T12:00:00Z");

function eventOf(kind: NonNullable<Event["kind"]>): Event {
  return { sequence: 1n, experimentId: "ex1", taskId: "ex1-distill", time: TIME, kind };
}

describe("the log of an experiment", () => {
  it("has one JSON object per line with the ids that it is about, until it is removed", (test) => {
    const root = temporaryFolder(test);
    const logs = new RunLogs(root, new Trash(temporaryFolder(test)));
    const running = Task.fromPartial({ state: State.RUNNING, attempt: 2, workerId: "w" });
    logs.note(eventOf({ $case: "task", value: running }));
    const line = { level: LogLevel.WARNING, message: "slow\ndisk", time: TIME };
    logs.note(eventOf({ $case: "log", value: line }));
    logs.note(eventOf({ $case: "metrics", value: { points: [] } }));
    const ids = { time: TIME.toISOString(), experiment: "ex1", task: "ex1-distill" };
    const written = readFileSync(join(root, "ex1", "log.jsonl"), "utf8")
      .trim()
      .split("\n");
    assert.deepEqual(
      written.map((text) => JSON.parse(text)),
      [
        { ...ids, level: "info", message: "running", attempt: 2, worker: "w" },
        { ...ids, level: "warning", message: "slow\ndisk" },
      ],
    );
    logs.remove("ex1");
    assert.equal(existsSync(join(root, "ex1")), false);
  });

  it("of a removed experiment is swept away, and one that cannot be written stops nothing", (test) => {
    const root = temporaryFolder(test);
    for (const id of ["gone", "there"]) mkdirSync(join(root, id));
    const logs = new RunLogs(root, new Trash(temporaryFolder(test)));
    logs.sweep((id) => id === "there");
    assert.deepEqual(
      [existsSync(join(root, "gone")), existsSync(join(root, "there"))],
      [false, true],
    );
    const line = { level: LogLevel.INFO, message: "lost", time: TIME };
    const file = join(root, "file");
    writeFileSync(file, "");
    new RunLogs(file, new Trash(temporaryFolder(test))).note(
      eventOf({ $case: "log", value: line }),
    );
  });
});
