import assert from "node:assert/strict";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { describe } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { ServiceError } from "@grpc/grpc-js";
import { errorOf } from "../../src/api/grpc/failure-metadata.js";
import { FailureKind } from "../../src/errors.js";
import { LogLevel, State, TaskResult } from "../../src/generated/stillhouse/v1/experiment.js";
import type { Assign } from "../../src/generated/stillhouse/v1/worker.js";
import { failureOf, resolvedSpec } from "../fixtures/experiments.js";
import { it, until } from "../fixtures/waiting.js";
import { hasState, states, TestPlane } from "./test-plane.js";
import type { TestWorker } from "./test-worker.js";

function quickSpec() {
  const spec = resolvedSpec();
  spec.baseline = { ...spec.baseline, full: false, random: false, untrained: false };
  return spec;
}

function logOf(message: string) {
  const value = { level: LogLevel.INFO, message, time: undefined };
  return { $case: "log" as const, value };
}

async function storedLogs(plane: TestPlane, id: string): Promise<string[]> {
  const logs: string[] = [];
  const { state } = await plane.experiment(id);
  assert.equal(state, State.SUCCEEDED);
  for await (const { kind } of plane.client.watch(id, 0n)) {
    if (kind?.$case === "log") logs.push(kind.value.message);
  }
  return logs;
}

async function finishRest(plane: TestPlane, worker: TestWorker, assign: Assign) {
  await worker.finish(assign);
  await worker.finishNext();
  return plane.ended(assign.experimentId);
}

describe("reports of a worker", () => {
  it("count once and in order: a repeat is acknowledged again, a gap is sent again", async (test) => {
    const plane = await TestPlane.start(test);
    const worker = await plane.worker();
    const { id } = await plane.client.create(quickSpec(), "");
    const assign = await worker.nextTask();
    const send = async (number: bigint, text: string) => {
      await worker.report(assign, logOf(text), number);
      return (await worker.next("acknowledge")).number;
    };
    assert.equal(await send(1n, "one"), 1n);
    assert.equal(await send(1n, "one"), 1n);
    assert.equal(await send(3n, "three"), 1n);
    assert.equal(await send(2n, "two"), 2n);
    assert.equal(await send(3n, "three"), 3n);
    await worker.report(assign, { $case: "result", value: await worker.result(assign) }, 4n);
    assert.equal((await worker.next("acknowledge")).number, 4n);
    await worker.finishNext();
    assert.deepEqual(await storedLogs(plane, (await plane.ended(id)).id), ["one", "two", "three"]);
  });

  it("of an attempt that was given up are fenced, and so is its artifact", async (test) => {
    const plane = await TestPlane.start(test, { timings: { leaseMs: 400 } });
    const silent = await plane.worker("silent");
    const { id } = await plane.client.create(quickSpec(), "");
    const old = await silent.nextTask();
    await plane.seen(id, hasState("distill", State.QUEUED));
    const worker = await plane.worker("worker");
    const assign = await worker.nextTask();
    assert.deepEqual([old.attempt, assign.attempt], [1, 2]);
    assert.equal(assign.workDir, old.workDir, "the next attempt finds the checkpoints");
    const acknowledge = await silent.reported(old, logOf("I am late"));
    assert.equal(acknowledge.fenced, true);
    await assert.rejects(silent.upload(old, { a: "late" }), (error) => {
      const failure = errorOf(error as ServiceError, "");
      assert.equal(failure.kind, FailureKind.CONFLICT);
      assert.match(failure.message, /attempt 1 of task .* is not running/);
      return true;
    });
    const heartbeats = setInterval(() => worker.heartbeat(assign), 50);
    const experiment = await finishRest(plane, worker, assign);
    clearInterval(heartbeats);
    assert.equal(experiment.state, State.SUCCEEDED);
    const logs = await storedLogs(plane, id);
    assert.ok(!logs.includes("I am late"));
    assert.match(
      logs[0] ?? "",
      /worker was lost.*it sent nothing.*no checkpoint of the task, which starts again/,
    );
  });

  it("that make no sense fail the task as a defect", async (test) => {
    const plane = await TestPlane.start(test);
    const worker = await plane.worker();
    const { id } = await plane.client.create(quickSpec(), "");
    const wrong = TaskResult.fromPartial({ kind: { $case: "learners", value: {} } });
    await worker.reported(await worker.nextTask(), { $case: "result", value: wrong });
    const { failure } = await plane.ended(id);
    assert.equal(failure?.kind, FailureKind.INTERNAL);
    assert.match(failure?.message ?? "", /kind learners.*expected distill/);
    const second = await plane.client.create(quickSpec(), "");
    const none = TaskResult.fromPartial({ kind: { $case: "distill", value: {} } });
    await worker.reported(await worker.nextTask(), { $case: "result", value: none });
    assert.match((await plane.ended(second.id)).failure?.message ?? "", /handed in no artifact/);
  });

  it("that are no messages at all are dropped, and other workers are still served", async (test) => {
    const plane = await TestPlane.start(test);
    const vandal = plane.rawWorker("vandal");
    await vandal.sendRaw(Buffer.from([0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]));
    await vandal.sendRaw(Buffer.alloc(0));
    await vandal.sendRaw(Buffer.from("two"), Buffer.from("frames"));
    const lease = { taskId: "no such", attempt: 3 };
    await vandal.heartbeat(lease);
    const worker = await plane.worker();
    const { id } = await plane.client.create(quickSpec(), "");
    const experiment = await finishRest(plane, worker, await worker.nextTask());
    assert.equal(experiment.id, id);
    const dropped = plane.warnings.filter((warning) => /dropped/.test(warning));
    assert.equal(dropped.length, 3, plane.warnings.join("\n"));
  });

  it("of a failure have the task tried again if the failure is retryable, three times at most", async (test) => {
    const plane = await TestPlane.start(test);
    const worker = await plane.worker();
    const { id } = await plane.client.create(quickSpec(), "");
    const again = failureOf(FailureKind.EXHAUSTED, true);
    for (const attempt of [1, 2, 3]) {
      const assign = await worker.nextTask();
      assert.equal(assign.attempt, attempt);
      await worker.reported(assign, { $case: "failure", value: again });
    }
    const { failure, tasks } = await plane.ended(id);
    assert.deepEqual(failure, again);
    assert.equal(tasks[0]?.attempt, 3);
  });
});

describe("a lost worker's task", () => {
  it("goes to another worker, three times at most", async (test) => {
    const plane = await TestPlane.start(test);
    const { id } = await plane.client.create(quickSpec(), "");
    for (const attempt of [1, 2, 3]) {
      const worker = await plane.worker(`worker ${attempt}`);
      assert.equal((await worker.nextTask()).attempt, attempt);
      await worker.send({ $case: "goodbye", value: {} });
    }
    const { failure } = await plane.ended(id);
    assert.equal(failure?.kind, FailureKind.WORKER_LOST);
    assert.match(failure?.message ?? "", /after 3 attempts.*goodbye/);
  });

  it("is given up when it hangs although heartbeats continue", async (test) => {
    const plane = await TestPlane.start(test, { timings: { hungAfterMs: 300 } });
    const worker = await plane.worker();
    const { id } = await plane.client.create(quickSpec(), "");
    const assign = await worker.nextTask();
    const heartbeats = setInterval(() => worker.heartbeat(assign, false), 30);
    await plane.seen(id, hasState("distill", State.QUEUED));
    clearInterval(heartbeats);
    assert.ok(plane.warnings.some((warning) => /made no progress for 0\.3 s/.test(warning)));
  });

  it("stays with the same worker when that only repeats its hello", async (test) => {
    const plane = await TestPlane.start(test);
    const worker = await plane.worker();
    await plane.client.create(quickSpec(), "");
    const assign = await worker.nextTask();
    await worker.hello();
    await worker.next("welcome");
    assert.equal((await finishRest(plane, worker, assign)).tasks[0]?.attempt, 1);
  });

  it("is queued again when the worker restarts under the same name", async (test) => {
    const plane = await TestPlane.start(test);
    const worker = await plane.worker();
    await plane.client.create(quickSpec(), "");
    assert.equal((await worker.nextTask()).attempt, 1);
    await worker.hello(process.pid + 1);
    assert.equal((await worker.nextTask()).attempt, 2);
  });

  it("is queued again when its worker can no longer be reached", async (test) => {
    const plane = await TestPlane.start(test);
    const worker = await plane.worker("gone");
    worker.close();
    await sleep(100);
    const { id } = await plane.client.create(quickSpec(), "");
    const other = await plane.worker("other");
    const assign = await other.nextTask();
    assert.equal(assign.attempt, 2);
    assert.equal((await finishRest(plane, other, assign)).id, id);
  });
});

describe("an artifact", () => {
  it("whose upload is cut off is never visible", async (test) => {
    const plane = await TestPlane.start(test);
    const worker = await plane.worker();
    const { id } = await plane.client.create(quickSpec(), "");
    const assign = await worker.nextTask();
    await assert.rejects(worker.upload(assign, { a: "half" }, true));
    const artifacts = join(plane.home, "artifacts");
    await until(() => readdirSync(artifacts).length === 0);
    assert.deepEqual(plane.warnings, [], "a sender that disconnects is no defect");
    await finishRest(plane, worker, assign);
    assert.ok(existsSync(join(artifacts, id, "m.json")));
  });

  it("with a name that leaves its folder is refused as INVALID", async (test) => {
    const plane = await TestPlane.start(test);
    const worker = await plane.worker();
    await plane.client.create(quickSpec(), "");
    const assign = await worker.nextTask();
    await assert.rejects(worker.upload(assign, { "../../evil": "x" }), (error) => {
      assert.equal(errorOf(error as ServiceError, "").kind, FailureKind.INVALID);
      return true;
    });
    assert.deepEqual(readdirSync(join(plane.home, "artifacts")), []);
  });

  it("is downloaded byte for byte, also when it is larger than a message", async (test) => {
    const plane = await TestPlane.start(test);
    const worker = await plane.worker();
    const { id } = await plane.client.create(quickSpec(), "");
    const assign = await worker.nextTask();
    const text = "stillhouse".repeat(100_000);
    const artifact = await worker.upload(assign, { "a.txt": text, "empty.txt": "" });
    const result = { kind: { $case: "distill" as const, value: { artifact, keptStep: 1 } } };
    await worker.reported(assign, { $case: "result", value: TaskResult.fromPartial(result) });
    assert.deepEqual(await worker.download(id, "a.txt"), { text, file: artifact.files[0] });
    const part = await worker.download(id, "a.txt", { offset: 999_995n, length: 3n });
    assert.deepEqual(part, { text: "hou", file: artifact.files[0] });
    const beyond = await worker.download(id, "a.txt", { offset: 999_995n, length: 30n });
    assert.equal(beyond.text, "house");
    const none = await worker.download(id, "empty.txt");
    assert.deepEqual(none, { text: "", file: artifact.files[1] });
    await assert.rejects(worker.download(id, "a.txt", { offset: 1_000_001n }), (error) => {
      assert.equal(errorOf(error as ServiceError, "").kind, FailureKind.INVALID);
      return true;
    });
    await assert.rejects(worker.download(id, "b.txt"), (error) => {
      assert.equal(errorOf(error as ServiceError, "").kind, FailureKind.NOT_FOUND);
      return true;
    });
  });
});

describe("a cancel", () => {
  it("returns when the task has stopped after its checkpoint, from which a resume continues", async (test) => {
    const plane = await TestPlane.start(test);
    const worker = await plane.worker();
    const { id } = await plane.client.create(resolvedSpec(), "");
    const assign = await worker.nextTask();
    const cancelling = plane.client.cancel(id);
    const { taskId, attempt } = await worker.next("cancel");
    assert.deepEqual([taskId, attempt], [assign.taskId, 1]);
    assert.equal((await plane.experiment(id)).state, State.RUNNING);
    const early = plane.client.resume(id);
    await assert.rejects(early, /is being cancelled/);
    await worker.reported(assign, { $case: "stopped", value: { time: undefined } });
    const cancelled = await cancelling;
    assert.equal(cancelled.state, State.CANCELLED);
    assert.equal((await plane.client.cancel(id)).state, State.CANCELLED);
    const resumed = await plane.client.resume(id);
    assert.deepEqual([...new Set(Object.values(states(resumed)))].sort(), ["queued", "running"]);
    const again = await worker.nextTask();
    assert.deepEqual([again.attempt, again.workDir], [2, assign.workDir]);
  });

  it("keeps the result of a task that finishes at that moment", async (test) => {
    const plane = await TestPlane.start(test);
    const worker = await plane.worker();
    const { id } = await plane.client.create(quickSpec(), "");
    const assign = await worker.nextTask();
    const cancelling = plane.client.cancel(id);
    await worker.next("cancel");
    await worker.finish(assign);
    const cancelled = await cancelling;
    assert.deepEqual(states(cancelled), { distill: "succeeded", evaluate: "cancelled" });
    await plane.client.resume(id);
    await worker.finishNext();
    const ended = await plane.ended(id);
    assert.equal(ended.state, State.SUCCEEDED);
    await assert.rejects(plane.client.cancel(id), /has already succeeded/);
    await assert.rejects(plane.client.resume(id), /nothing is left to do/);
  });

  it("gives up a worker that does not stop in time", async (test) => {
    const plane = await TestPlane.start(test, { timings: { stopGraceMs: 300 } });
    const worker = await plane.worker();
    const { id } = await plane.client.create(quickSpec(), "");
    const assign = await worker.nextTask();
    const heartbeats = setInterval(() => worker.heartbeat(assign), 30);
    const cancelled = await plane.client.cancel(id);
    clearInterval(heartbeats);
    assert.equal(cancelled.state, State.CANCELLED);
    assert.equal((await worker.reported(assign, logOf("still here"))).fenced, true);
  });
});
