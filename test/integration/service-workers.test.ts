import assert from "node:assert/strict";
import { describe } from "node:test";
import { FailureKind, StillhouseError } from "../../src/errors.js";
import { State } from "../../src/generated/stillhouse/v1/experiment.js";
import { MetricUnit, type Worker, WorkerState } from "../../src/generated/stillhouse/v1/service.js";
import { Heartbeat } from "../../src/generated/stillhouse/v1/worker.js";
import { resolvedSpec } from "../fixtures/experiments.js";
import { it } from "../fixtures/waiting.js";
import { hasState, TestPlane } from "./test-plane.js";

async function workerOf(plane: TestPlane, isIt: (worker: Worker) => boolean): Promise<Worker> {
  for (;;) {
    const found = (await plane.client.workers()).find(isIt);
    if (found) return found;
  }
}

describe("workers", () => {
  it("are listed with their task, their device and its load", async (test) => {
    const plane = await TestPlane.start(test);
    const [one] = [await plane.worker("one"), await plane.worker("two")];
    const { id } = await plane.client.create(resolvedSpec(), "");
    const { taskId, attempt, secret } = await one.nextTask();
    const value = Heartbeat.fromPartial({
      ...{ taskId, attempt, secret, progressCounter: 1n },
      ...{ memoryTotalBytes: 100n, memoryUsedBytes: 25n, utilisation: 0.5 },
    });
    await one.send({ $case: "heartbeat", value });
    const busy = await workerOf(plane, ({ memoryTotalBytes }) => memoryTotalBytes > 0n);
    const { lastHeardTime, ...rest } = busy;
    assert.ok(lastHeardTime && Math.abs(Date.now() - lastHeardTime.getTime()) < 30_000);
    assert.deepEqual(rest, {
      ...{ id: "one", state: WorkerState.BUSY, host: "h" },
      ...{ device: "cpu", deviceName: "", versions: {} },
      ...{ memoryTotalBytes: 100n, memoryUsedBytes: 25n, memoryPromisedBytes: 0n },
      ...{ utilisation: 0.5, taskId, experimentId: id, setAsideUntil: undefined },
      ...{ pool: "", reason: "" },
    });
    await plane.worker("three");
    for (const pageSize of [0, 1, 2, 3]) {
      const ids = (await plane.client.workers(pageSize)).map((worker) => worker.id);
      assert.deepEqual(ids, ["one", "three", "two"]);
    }
  });

  it("that are drained finish their task, get no other, and are told to end", async (test) => {
    const plane = await TestPlane.start(test);
    const worker = await plane.worker("one");
    const { id } = await plane.client.create(resolvedSpec(), "");
    const assign = await worker.nextTask();
    await plane.client.drainWorker("one");
    const [draining] = await plane.client.workers();
    assert.equal(draining?.state, WorkerState.DRAINING);
    await worker.finish(assign);
    await worker.next("shutdown");
    assert.deepEqual(await plane.client.workers(), []);
    await plane.seen(id, hasState("distill", State.SUCCEEDED));
    assert.equal((await plane.experiment(id)).tasks[1]?.state, State.QUEUED);
    const other = await plane.worker("two");
    assert.equal((await other.nextTask()).taskId, `${id}-evaluate`);
    await assert.rejects(plane.client.drainWorker("one"), (error) => {
      assert.ok(error instanceof StillhouseError);
      assert.equal(error.kind, FailureKind.NOT_FOUND);
      assert.equal(error.field, "worker_id");
      return true;
    });
  });
});

it("metrics are listed and read over the network", async (test) => {
  const plane = await TestPlane.start(test);
  const worker = await plane.worker();
  const { id } = await plane.client.create(resolvedSpec(), "");
  const assign = await worker.nextTask();
  const points = Array.from({ length: 500 }, (_, index) => ({
    name: "outer_loss",
    sequence: BigInt(index + 1),
    step: BigInt(index + 1),
    value: 1 / (index + 1),
    time: new Date(),
  }));
  await worker.reported(assign, { $case: "metrics", value: { points } });
  const rates = [1n, 2n].map((t) => ({
    name: `inner_lr_${t}`,
    sequence: 500n + t,
    step: 1n,
    value: 0.5,
    time: new Date(),
  }));
  await worker.reported(assign, { $case: "metrics", value: { points: rates } });
  for (const pageSize of [0, 1, 2]) {
    const names = (await plane.client.metrics(id, pageSize)).map(({ name }) => name);
    assert.deepEqual(names, ["inner_lr_1", "inner_lr_2", "outer_loss"]);
  }
  const summary = (await plane.client.metrics(id)).at(-1);
  assert.equal(summary?.numPoints, 500n);
  assert.deepEqual(summary?.min, { step: 500n, value: 1 / 500 });
  const [series] = await plane.client.series(id, { names: ["outer_loss"], maxPoints: 50 });
  assert.equal(series?.taskId, assign.taskId);
  for (const { descriptor } of [summary, series]) {
    const { title, unit, group } = descriptor ?? {};
    assert.deepEqual(
      [title, unit, group?.title],
      ["after (real samples)", MetricUnit.NATS, "Loss"],
    );
  }
  assert.equal(series?.numPoints, 500n);
  assert.ok(series && series.steps.length <= 50 && series.steps.length === series.values.length);
  const wrong: [object, RegExp, string][] = [
    [{ maxPoints: 1 }, /from 2 to 10000, got 1/, "max_points"],
    [{ maxPoints: 10_001 }, /from 2 to 10000, got 10001/, "max_points"],
    [{ firstStep: 5n, lastStep: 4n }, /at least first_step, 5, got 4/, "last_step"],
  ];
  for (const [request, message, field] of wrong) {
    await assert.rejects(plane.client.series(id, request), (error) => {
      assert.ok(error instanceof StillhouseError);
      assert.match(error.message, message);
      assert.equal(error.field, field);
      return true;
    });
  }
});
