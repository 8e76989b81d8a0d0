import assert from "node:assert/strict";
import { describe } from "node:test";
import { FailureKind } from "../../src/errors.js";
import { type Event, State } from "../../src/generated/stillhouse/v1/experiment.js";
import { WorkerState } from "../../src/generated/stillhouse/v1/service.js";
import type { ExperimentSpec } from "../../src/generated/stillhouse/v1/spec.js";
import type { Hello } from "../../src/generated/stillhouse/v1/worker.js";
import { failureOf, quickSpec } from "../fixtures/experiments.js";
import { it } from "../fixtures/waiting.js";
import { TestPlane } from "./test-plane.js";

function specOf(seed: number, device = "cpu", memoryMib = 0): ExperimentSpec {
  const spec = quickSpec(seed);
  spec.compute = { ...spec.compute, device, memoryMib } as typeof spec.compute;
  return spec;
}

const MIB = 2n ** 20n;
/** A device with a quarter of its memory in use by other programs. */
const LOAD = { memoryTotalBytes: 8_000n * MIB, memoryUsedBytes: 2_000n * MIB };

async function workerOf(
  plane: TestPlane,
  workerId: string,
  device: string,
  pid = 1,
  load: Partial<Hello> = {},
) {
  const worker = plane.rawWorker(workerId);
  await worker.hello(pid, { device, ...load });
  await worker.next("welcome");
  return worker;
}

describe("scheduling", () => {
  it("gives urgent tasks to the next worker, and owners take turns", async (test) => {
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

  it("sends a task to a worker with the kind of device that it needs, and names that worker's device", async (test) => {
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

  it("runs tasks in parallel on a device as its memory allows", async (test) => {
    const plane = await TestPlane.start(test);
    const { client } = plane;
    const one = await workerOf(plane, "one", "cuda:0", 1, LOAD);
    const two = await workerOf(plane, "two", "cuda:0", 2, LOAD);
    const { id: first } = await client.create(specOf(1, "cuda:0", 4_000), "");
    const { id: second } = await client.create(specOf(2, "cuda:0", 4_000), "");
    const { id: small } = await client.create(specOf(3, "cuda:0", 1_500), "");
    const running = await one.nextTask();
    assert.equal(running.experimentId, first);
    assert.equal((await two.nextTask()).experimentId, small, "the second finds 2,000 MiB");
    const [worker] = await client.workers();
    assert.equal(worker?.memoryPromisedBytes, 5_500n * MIB);
    // Another device has room for the waiting task.
    const other = await workerOf(plane, "other", "cuda:1", 3, LOAD);
    assert.equal((await other.nextTask()).experimentId, second);
    // The next task gets the room of one that has ended.
    const { id: fourth } = await client.create(specOf(4, "cuda:0", 4_400), "");
    await one.reported(running, {
      $case: "failure",
      value: failureOf(FailureKind.DIVERGED),
    });
    assert.equal((await one.nextTask()).experimentId, fourth);
  });

  it("tells GPUs apart by their UUIDs, where each container has but a cuda:0", async (test) => {
    const plane = await TestPlane.start(test);
    const { client } = plane;
    const gpu = (uuid: string, own: Partial<Hello> = {}) => ({
      ...{ ...LOAD, deviceIds: { "cuda:0": uuid } },
      ...own,
    });
    const one = await workerOf(plane, "one", "cuda:0", 1, gpu("GPU-a"));
    const two = await workerOf(plane, "two", "cuda:0", 1, gpu("GPU-b", { machineId: "m" }));
    // A second worker of the first one's GPU, in a container with another name.
    const beside = await workerOf(plane, "beside", "cuda:0", 1, gpu("GPU-a", { host: "other" }));
    const ids: string[] = [];
    for (const seed of [1, 2, 3])
      ids.push((await client.create(specOf(seed, "cuda:0", 4_000), "")).id);
    const running = await one.nextTask();
    assert.equal(running.experimentId, ids[0]);
    assert.equal((await two.nextTask()).experimentId, ids[1], "another GPU, another task");
    const { id: small } = await client.create(specOf(4, "cuda:0", 1_500), "");
    assert.equal((await beside.nextTask()).experimentId, small, "it has 2,000 MiB left");
    const promised = (await client.workers()).map(({ id, memoryPromisedBytes: bytes }) => [
      id,
      bytes / MIB,
    ]);
    assert.deepEqual(Object.fromEntries(promised), { one: 5_500n, two: 4_000n, beside: 5_500n });
  });

  it("counts the memory of a distillation over several devices on each of them, and on no other", async (test) => {
    const plane = await TestPlane.start(test);
    const { client } = plane;
    const second = await workerOf(plane, "second", "cuda:1", 1, LOAD);
    const first = await workerOf(plane, "first", "cuda:0", 2, LOAD);
    const beside = await workerOf(plane, "beside", "cuda:1", 3, LOAD);
    const shared = specOf(1, "cuda:0", 4_000);
    shared.compute = { ...shared.compute, numDevices: 2 } as typeof shared.compute;
    const { id: both } = await client.create(shared, "");
    const team = await second.nextTask();
    assert.equal(team.experimentId, both);
    assert.equal(team.spec?.compute?.device, "cuda:0", "it is led from the first of its devices");
    // Each of the two has 2,000 MiB left.
    await client.create(specOf(2, "cuda:0", 3_000), "");
    const promised = (await client.workers()).map(({ memoryPromisedBytes: bytes }) => bytes / MIB);
    assert.deepEqual(promised, [4_000n, 4_000n, 4_000n]);
    const { id: small } = await client.create(specOf(3, "cuda:0", 1_500), "");
    const { id: other } = await client.create(specOf(4, "cuda:0", 1_500), "");
    assert.equal((await first.nextTask()).experimentId, small);
    assert.equal((await beside.nextTask()).experimentId, other);
    // Its evaluation needs one device.
    await second.finish(team);
    const evaluation = await second.nextTask();
    assert.equal(evaluation.experimentId, both);
    assert.equal(evaluation.spec?.compute?.device, "cuda:1");
  });

  it("says why a task waits that is larger than any device of the workers", async (test) => {
    const plane = await TestPlane.start(test);
    const { id } = await plane.client.create(specOf(1, "cuda:0", 7_000), "");
    const { id: other } = await plane.client.create(specOf(2, "cuda:0", 6_000), "");
    const worker = await workerOf(plane, "one", "cuda:0", 1, LOAD);
    assert.equal((await worker.nextTask()).experimentId, other);
    const isLog = ({ kind }: Event) => kind?.$case === "log";
    const { kind } = await plane.seen(id, isLog);
    assert.match(
      kind?.$case === "log" ? kind.value.message : "",
      /waits for a device with 7,000 MiB of memory .* the largest cuda device .* has 6,000 MiB/,
    );
    const larger = { ...LOAD, memoryTotalBytes: 16_000n * MIB };
    const enough = await workerOf(plane, "two", "cuda:0", 2, { ...larger, host: "large" });
    assert.equal((await enough.nextTask()).experimentId, id);
  });

  it("sets a worker aside on which spec after spec fails, for a time or until it is restarted", async (test) => {
    const plane = await TestPlane.start(test);
    const broken = await workerOf(plane, "broken", "cpu");
    const sweep = await plane.client.createSweep({
      specs: [1, 2, 3, 4, 5, 6, 7].map((seed) => specOf(seed)),
    });
    const fail = async (kind: FailureKind) => {
      const assign = await broken.nextTask();
      await broken.reported(assign, { $case: "failure", value: failureOf(kind) });
    };
    // A spec that diverges says nothing about the worker.
    await fail(FailureKind.DIVERGED);
    for (let count = 0; count < 5; count++) await fail(FailureKind.ENVIRONMENT);
    const [worker] = await plane.client.workers();
    assert.equal(worker?.state, WorkerState.SET_ASIDE);
    assert.ok(worker.setAsideUntil, "the end of the time is missing");
    assert.match(
      plane.warnings.join("\n"),
      /worker broken is set aside for 1 min: 5 different specs/,
    );
    const last = sweep.experimentIds.at(-1) ?? "";
    assert.equal((await plane.experiment(last)).state, State.QUEUED);
    const anew = await workerOf(plane, "broken", "cpu", 2);
    assert.equal((await anew.nextTask()).experimentId, last);
  });

  it("gives up a task that lost three workers, and says what happened to them", async (test) => {
    const plane = await TestPlane.start(test);
    const { id } = await plane.client.create(specOf(1), "");
    for (const attempt of [1, 2, 3]) {
      const worker = await plane.worker(`victim-${attempt}`);
      assert.equal((await worker.nextTask()).attempt, attempt);
      await worker.send({ $case: "goodbye", value: {} });
    }
    const { failure, state } = await plane.ended(id);
    assert.equal(state, State.FAILED);
    assert.equal(failure?.kind, FailureKind.WORKER_LOST);
    assert.match(failure?.message ?? "", /after 3 attempts/);
  });
});
