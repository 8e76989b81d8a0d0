import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { describe, type TestContext } from "node:test";
import { type Event, MetricPoint, State } from "../../src/generated/stillhouse/v1/experiment.js";
import { SqlFile } from "../../src/store/database.js";
import { resolvedSpec } from "../fixtures/experiments.js";
import { afterwards } from "../fixtures/temporary-folder.js";
import { it } from "../fixtures/waiting.js";
import { TestPlane } from "./test-plane.js";

const DAY_MS = 24 * 60 * 60 * 1_000;

function quickSpec() {
  const spec = resolvedSpec();
  spec.baseline = { ...spec.baseline, full: false, random: false, untrained: false };
  return spec;
}

function metrics(...sequences: number[]) {
  const points = sequences.map((sequence) =>
    MetricPoint.fromPartial({ sequence: BigInt(sequence), step: BigInt(sequence), name: "loss" }),
  );
  return { $case: "metrics" as const, value: { points } };
}

/** The database of a plane, as another program sees it. */
function databaseOf(test: TestContext, plane: TestPlane): SqlFile {
  const file = new SqlFile(join(plane.home, "stillhouse.db"));
  afterwards(test, () => file.close());
  return file;
}

/** Another process holds the write lock of the database for this long. */
function holdWriteLock(home: string, durationMs: number) {
  const script = `
    import Database from "libsql";
    const file = new Database(${JSON.stringify(join(home, "stillhouse.db"))});
    file.exec("BEGIN IMMEDIATE");
    console.log("begun");
    setTimeout(() => file.exec("ROLLBACK"), ${durationMs});
  `;
  const args = ["--input-type=module", "--eval", script];
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
  return { begun: once(child.stdout, "data"), ended: once(child, "exit") };
}

function storedSequences(file: SqlFile): number[] {
  return file
    .all<{ sequence: number }>("SELECT sequence FROM metric_points ORDER BY attempt, sequence")
    .map(({ sequence }) => sequence);
}

describe("a control plane", () => {
  it("waits for a program that writes to its database, and then stores what came", async (test) => {
    const plane = await TestPlane.start(test);
    const worker = await plane.worker();
    const { id } = await plane.client.create(quickSpec(), "");
    const assign = await worker.nextTask();
    const file = databaseOf(test, plane);
    // The plane waits within SQLite, in this process, so only another one can release the lock.
    const held = holdWriteLock(plane.home, 700);
    await held.begun;
    assert.equal((await worker.reported(assign, metrics(1, 2))).number, 1n);
    await held.ended;
    await worker.finish(assign);
    await worker.finishNext();
    assert.equal((await plane.ended(id)).state, State.SUCCEEDED);
    assert.deepEqual(storedSequences(file), [1, 2]);
  });

  it("survives a clock that jumps by a day, forward and back", async (test) => {
    const plane = await TestPlane.start(test);
    const worker = await plane.worker();
    const { id } = await plane.client.create(quickSpec(), "");
    const assign = await worker.nextTask();
    const now = Date.now();
    test.mock.timers.enable({ apis: ["Date"], now });
    for (const jumped of [now + DAY_MS, now - DAY_MS, now + 2 * DAY_MS, now]) {
      test.mock.timers.setTime(jumped);
      await worker.reported(assign, metrics(1, 2));
      await new Promise((resolve) => setTimeout(resolve, 120));
    }
    test.mock.timers.reset();
    await worker.finish(assign);
    await worker.finishNext();
    const experiment = await plane.ended(id);
    assert.equal(experiment.state, State.SUCCEEDED);
    assert.deepEqual(
      experiment.tasks.map(({ attempt }) => attempt),
      [1, 1],
      "no lease ran out",
    );
    assert.deepEqual(plane.warnings, []);
  });

  it("ignores a second worker that claims the lease of the first", async (test) => {
    const plane = await TestPlane.start(test);
    const worker = await plane.worker("owner");
    const { id } = await plane.client.create(quickSpec(), "");
    const assign = await worker.nextTask();
    await worker.reported(assign, metrics(1));
    const intruder = await plane.worker("intruder");
    await intruder.heartbeat(assign);
    await intruder.report(assign, metrics(2), 2n);
    assert.equal((await intruder.next("acknowledge")).fenced, true);
    await intruder.report(assign, { $case: "stopped", value: { time: undefined } }, 2n);
    assert.equal((await intruder.next("acknowledge")).fenced, true);
    assert.equal((await worker.reported(assign, metrics(2))).fenced, false);
    await worker.finish(assign);
    const first = await Promise.race([worker.nextTask(), intruder.nextTask()]);
    assert.equal(first.experimentId, id);
    assert.deepEqual(storedSequences(databaseOf(test, plane)), [1, 2]);
  });

  it("counts a metric point once, even if its reports are repeated and reordered", async (test) => {
    const plane = await TestPlane.start(test);
    const worker = await plane.worker();
    await plane.client.create(quickSpec(), "");
    const assign = await worker.nextTask();
    const send = async (number: bigint, ...sequences: number[]) => {
      await worker.report(assign, metrics(...sequences), number);
      return (await worker.next("acknowledge")).number;
    };
    assert.equal(await send(2n, 3, 4), 0n, "a gap is not taken");
    assert.equal(await send(1n, 1, 2), 1n);
    assert.equal(await send(1n, 1, 2), 1n);
    assert.equal(await send(2n, 2, 3, 4), 2n, "an earlier point within a new report");
    assert.equal(await send(3n, 4, 3), 3n);
    assert.deepEqual(storedSequences(databaseOf(test, plane)), [1, 2, 3, 4]);
  });

  it("shows watchers the points of a lost attempt that come late", async (test) => {
    const plane = await TestPlane.start(test);
    const lost = await plane.worker("lost");
    const { id } = await plane.client.create(quickSpec(), "");
    const first = await lost.nextTask();
    await lost.send({ $case: "goodbye", value: {} });
    const heir = await plane.worker("heir");
    assert.equal((await heir.nextTask()).attempt, 2);
    await lost.hello();
    await lost.next("welcome");
    let event: Event | undefined;
    void plane
      .seen(id, ({ kind }) => kind?.$case === "metrics")
      .then((found) => {
        event = found;
      });
    // A watch shows live events only from its start, so points are sent until one arrives.
    for (let number = 1; event === undefined; number++) {
      await lost.report(first, metrics(number), BigInt(number));
      assert.equal((await lost.next("acknowledge")).fenced, true);
    }
    assert.equal(event.taskId, first.taskId);
  });
});
