import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { FailureKind } from "../../src/errors.js";
import { State } from "../../src/generated/stillhouse/v1/experiment.js";
import { WorkerState } from "../../src/generated/stillhouse/v1/service.js";
import type { ExperimentSpec } from "../../src/generated/stillhouse/v1/spec.js";
import { Hello } from "../../src/generated/stillhouse/v1/worker.js";
import { failureOf, quickSpec } from "../fixtures/experiments.js";
import { TestPlane } from "./test-plane.js";

function specOf(seed: number, device = "cpu"): ExperimentSpec {
  const spec = quickSpec(seed);
  spec.compute = { ...spec.compute, device } as typeof spec.compute;
  return spec;
}

async function workerOf(plane: TestPlane, workerId: string, device: string, pid = 1) {
  const worker = plane.rawWorker(workerId);
  const value = Hello.fromPartial({ workerId, device, pid, host: "h" });
  await worker.send({ $case: "hello", value });
  await worker.next("welcome");
  return worker;
}

describe("scheduling", { timeout: 30_000 }, () => {
  it("gives what is urgent to the next worker, and owners take turns", async (test) => {
    const plane = await TestPlane.start(test);
    const { client } = plane;
    const ids = new Map<string, string>();
    const create = async (name: string, owner: string, priority = 0) => {
      const spec = specOf(ids.size + 1);
      const { id } = await client.create(spec, "", undefined, { owner, priority });
      ids.set(id, name);
    };
    for (const name of ["a1", "a2", "a3"]) await create(name, "ann");
    await create("b1", "bob");
    await create("urgent", "ann", 10);
    const order: (string | undefined)[] = [];
    for (const name of ["one", "two", "three", "four"]) {
      const worker = await plane.worker(name);
      order.push(ids.get((await worker.nextTask()).experimentId));
    }
    assert.deepEqual(order, ["urgent", "b1", "a1", "a2"]);
  });

  it("sends a task to a worker with the kind of device that it needs, and names its own", async (test) => {
    const plane = await TestPlane.start(test);
    const cpu = await workerOf(plane, "cpu", "cpu");
    const { id } = await plane.client.create(specOf(1, "cuda:0"), "");
    const { id: other } = await plane.client.create(specOf(2), "");
    assert.equal((await cpu.nextTask()).experimentId, other);
    const cuda = await workerOf(plane, "cuda", "cuda:1");
    const assign = await cuda.nextTask();
    assert.equal(assign.experimentId, id);
    assert.equal(assign.spec?.compute?.device, "cuda:1");
    assert.equal((await plane.experiment(id)).spec?.compute?.device, "cuda:0");
  });

  it("sets a worker aside on which task after task fails, until it is started anew", async (test) => {
    const plane = await TestPlane.start(test);
    const broken = await workerOf(plane, "broken", "cpu");
    const sweep = await plane.client.createSweep({
      specs: [1, 2, 3, 4, 5, 6, 7].map((seed) => specOf(seed)),
    });
    const fail = async (kind: FailureKind) => {
      const assign = await broken.nextTask();
      await broken.reported(assign, { $case: "failure", value: failureOf(kind) });
    };
    // That its spec diverges says nothing of the worker.
    await fail(FailureKind.FAILURE_KIND_DIVERGED);
    for (let count = 0; count < 5; count++) await fail(FailureKind.FAILURE_KIND_ENVIRONMENT);
    const [worker] = await plane.client.workers();
    assert.equal(worker?.state, WorkerState.WORKER_STATE_SET_ASIDE);
    assert.match(plane.warnings.join("\n"), /worker broken is set aside: 5 tasks in a row/);
    const last = sweep.experimentIds.at(-1) ?? "";
    assert.equal((await plane.experiment(last)).state, State.STATE_QUEUED);
    const anew = await workerOf(plane, "broken", "cpu", 2);
    assert.equal((await anew.nextTask()).experimentId, last);
  });

  it("gives up a task that is lost three times, with what became of its workers", async (test) => {
    const plane = await TestPlane.start(test);
    const { id } = await plane.client.create(specOf(1), "");
    for (const attempt of [1, 2, 3]) {
      const worker = await plane.worker(`victim-${attempt}`);
      assert.equal((await worker.nextTask()).attempt, attempt);
      await worker.send({ $case: "goodbye", value: {} });
    }
    const { failure, state } = await plane.ended(id);
    assert.equal(state, State.STATE_FAILED);
    assert.equal(failure?.kind, FailureKind.FAILURE_KIND_WORKER_LOST);
    assert.match(failure?.message ?? "", /after 3 attempts/);
  });
});
