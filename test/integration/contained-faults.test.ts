import assert from "node:assert/strict";
import { openSync, statSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { describe, type TestContext } from "node:test";
import { FailureKind } from "../../src/errors.js";
import { LogLevel, MetricPoint, State } from "../../src/generated/stillhouse/v1/experiment.js";
import { WorkerState } from "../../src/generated/stillhouse/v1/service.js";
import type { Assign } from "../../src/generated/stillhouse/v1/worker.js";
import { SqlFile } from "../../src/store/database.js";
import { quickSpec } from "../fixtures/experiments.js";
import { afterwards } from "../fixtures/temporary-folder.js";
import { it } from "../fixtures/waiting.js";
import { TestPlane } from "./test-plane.js";
import type { TestWorker } from "./test-worker.js";

const POISON = 666;

function points(value: number) {
  const point = MetricPoint.fromPartial({ sequence: 1n, step: 1n, name: "loss", value });
  return { $case: "metrics" as const, value: { points: [point] } };
}

/** Makes the database refuse one kind of change, and only that. */
function refuse(test: TestContext, plane: TestPlane, change: string): SqlFile {
  const file = new SqlFile(join(plane.home, "stillhouse.db"));
  afterwards(test, () => file.close());
  file.exec(`CREATE TRIGGER refusal BEFORE ${change} BEGIN SELECT RAISE(ABORT, 'no such'); END`);
  return file;
}

const refusePoison = (test: TestContext, plane: TestPlane) =>
  refuse(test, plane, `INSERT ON metric_points WHEN NEW.value = ${POISON}`);

/** Tells the control plane that the worker no longer works on its task. */
async function settle(worker: TestWorker): Promise<void> {
  await worker.heartbeat({ taskId: "", attempt: 0 });
}

async function finishBoth(worker: TestWorker): Promise<Assign> {
  await worker.finishNext();
  return worker.finishNext();
}

describe("a report that cannot be stored", () => {
  it("fails its attempt, is acknowledged, and affects nothing else", async (test) => {
    const plane = await TestPlane.start(test);
    refusePoison(test, plane);
    const worker = await plane.worker();
    const { id } = await plane.client.create(quickSpec(1), "");
    const other = await plane.client.create(quickSpec(2), "");
    const poisoned = await worker.nextTask();
    assert.equal(poisoned.experimentId, id);
    assert.equal((await worker.reported(poisoned, points(1))).fenced, false);
    const answer = await worker.reported(poisoned, points(POISON));
    assert.deepEqual([answer.number, answer.fenced], [2n, true], "it is not sent again");
    await settle(worker);
    assert.equal((await finishBoth(worker)).experimentId, other.id);
    assert.equal((await plane.ended(other.id)).state, State.SUCCEEDED);
    const { state, failure } = await plane.ended(id);
    assert.equal(state, State.FAILED);
    assert.equal(failure?.kind, FailureKind.INTERNAL);
    assert.match(failure?.message ?? "", /report of the worker could not be taken in: .*no such/);
  });

  it("is acknowledged also if it comes late, or from a worker that never had the task", async (test) => {
    const plane = await TestPlane.start(test);
    refusePoison(test, plane);
    const worker = await plane.worker();
    const { id } = await plane.client.create(quickSpec(), "");
    const assign = await worker.nextTask();
    const stranger = await plane.worker("stranger");
    await stranger.report(assign, points(POISON), 1n);
    assert.deepEqual((await stranger.next("acknowledge")).fenced, true);
    await worker.finish(assign);
    await Promise.race([worker.finishNext(), stranger.finishNext()]);
    assert.equal((await plane.ended(id)).state, State.SUCCEEDED);
  });

  it("fails its attempt if it holds an impossible time, and is acknowledged again when repeated", async (test) => {
    const plane = await TestPlane.start(test);
    const worker = await plane.worker();
    const { id } = await plane.client.create(quickSpec(1), "");
    const other = await plane.client.create(quickSpec(2), "");
    const assign = await worker.nextTask();
    const time = { getTime: () => 2 ** 60 * 1_000 } as Date;
    const log = {
      $case: "log" as const,
      value: { level: LogLevel.INFO, message: "", time },
    };
    const answer = await worker.reported(assign, log);
    assert.deepEqual([answer.number, answer.fenced], [1n, true]);
    assert.equal((await worker.reported(assign, log)).fenced, true, "a repeat is acknowledged");
    await settle(worker);
    assert.equal((await finishBoth(worker)).experimentId, other.id);
    const { failure } = await plane.ended(id);
    assert.match(
      failure?.message ?? "",
      /could not be taken in: report.log.time must be a time between/,
    );
  });

  it("fails its attempt if it holds a text beyond the limits", async (test) => {
    const plane = await TestPlane.start(test);
    const worker = await plane.worker();
    const { id } = await plane.client.create(quickSpec(1), "");
    const assign = await worker.nextTask();
    const point = MetricPoint.fromPartial({ sequence: 1n, step: 1n, name: "x".repeat(300) });
    const answer = await worker.reported(assign, { $case: "metrics", value: { points: [point] } });
    assert.deepEqual([answer.number, answer.fenced], [1n, true]);
    const { failure } = await plane.ended(id);
    assert.match(failure?.message ?? "", /name must have at most 200 characters, got 300/);
  });

  it("counts against its worker", async (test) => {
    const plane = await TestPlane.start(test);
    refusePoison(test, plane);
    const worker = await plane.worker("broken");
    for (let seed = 1; seed <= 6; seed++) await plane.client.create(quickSpec(seed), "");
    for (let count = 0; count < 5; count++) {
      await worker.reported(await worker.nextTask(), points(POISON));
      await settle(worker);
    }
    assert.equal((await plane.client.workers())[0]?.state, WorkerState.SET_ASIDE);
  });
});

describe("an experiment whose step cannot be done", () => {
  it("fails with the reason where its folder cannot be created, and the next one runs", async (test) => {
    const plane = await TestPlane.start(test);
    const { id, tasks } = await plane.client.create(quickSpec(1), "");
    writeFileSync(
      join(plane.home, "work", tasks[0]?.id ?? ""),
      "a file where the folder should be",
    );
    const other = await plane.client.create(quickSpec(2), "");
    const worker = await plane.worker();
    assert.equal((await worker.nextTask()).experimentId, other.id);
    const { state, failure } = await plane.ended(id);
    assert.equal(state, State.FAILED);
    assert.match(failure?.message ?? "", /work\/.* cannot be opened/);
  });

  it("waits where it cannot even fail, and continues when it can", async (test) => {
    const plane = await TestPlane.start(test);
    const { id } = await plane.client.create(quickSpec(1), "");
    const file = refuse(test, plane, `UPDATE ON tasks WHEN NEW.experiment_id = '${id}'`);
    const other = await plane.client.create(quickSpec(2), "");
    const worker = await plane.worker();
    assert.equal((await finishBoth(worker)).experimentId, other.id);
    assert.equal((await plane.experiment(id)).state, State.QUEUED);
    file.exec("DROP TRIGGER refusal");
    await plane.client.cancel(id);
    await plane.client.resume(id);
    assert.equal((await finishBoth(worker)).experimentId, id);
  });

  it("does not keep the tasks of other lost workers from being queued again", async (test) => {
    const plane = await TestPlane.start(test, { timings: { leaseMs: 300 } });
    const first = await plane.worker("first");
    const { id } = await plane.client.create(quickSpec(1), "");
    await first.nextTask();
    const second = await plane.worker("second");
    const other = await plane.client.create(quickSpec(2), "");
    await second.nextTask();
    refuse(test, plane, `UPDATE ON tasks WHEN NEW.experiment_id = '${id}'`);
    first.close();
    second.close();
    const third = await plane.worker("third");
    const heard = setInterval(() => void settle(third), 50);
    afterwards(test, () => clearInterval(heard));
    assert.equal((await third.nextTask()).experimentId, other.id);
  });
});

it("a damaged database ends the service", async (test) => {
  const plane = await TestPlane.start(test);
  const worker = await plane.worker();
  await plane.client.create(quickSpec(), "");
  const assign = await worker.nextTask();
  for (const name of ["stillhouse.db", "stillhouse.db-wal"]) {
    const path = join(plane.home, name);
    const file = openSync(path, "r+");
    writeSync(file, Buffer.alloc(statSync(path).size, 0x5a));
  }
  await worker.report(assign, points(1));
  const { kind, message } = await plane.plane.broken;
  assert.equal(kind, FailureKind.ENVIRONMENT);
  assert.match(message, /stillhouse.db is damaged or no database/);
});
