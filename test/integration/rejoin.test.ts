import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { describe, type TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { StillhouseClient } from "../../src/api/client.js";
import type { Timings } from "../../src/experiment/scheduling/leases.js";
import { type Event, LogLevel, State } from "../../src/generated/stillhouse/v1/experiment.js";
import type { ExperimentSpec } from "../../src/generated/stillhouse/v1/spec.js";
import type { Assign, TaskReport } from "../../src/generated/stillhouse/v1/worker.js";
import { LocalStore } from "../../src/store/local-store.js";
import { baselineSpec } from "../bench/control-plane/homes.js";
import { resolvedSpec } from "../fixtures/experiments.js";
import { freePort } from "../fixtures/free-port.js";
import { afterwards, temporaryFolder } from "../fixtures/temporary-folder.js";
import { it, NET_MS } from "../fixtures/waiting.js";
import { TestPlane } from "./test-plane.js";
import { claimOf, TestWorker } from "./test-worker.js";

const PLANE = fileURLToPath(new URL("../fixtures/plane-process.mjs", import.meta.url));

function quickSpec(): ExperimentSpec {
  const spec = resolvedSpec();
  spec.baseline = { ...spec.baseline, full: false, random: false, untrained: false };
  return spec;
}

function logOf(message: string, second: number): NonNullable<TaskReport["kind"]> {
  const time = new Date(second * 1000);
  return { $case: "log", value: { level: LogLevel.INFO, message, time } };
}

function pointsOf(...sequences: number[]): NonNullable<TaskReport["kind"]> {
  const points = sequences.map((sequence) => ({
    sequence: BigInt(sequence),
    name: "loss",
    step: BigInt(sequence),
    value: sequence / 8,
    time: new Date(0),
  }));
  return { $case: "metrics", value: { points } };
}

/** A control plane that can be killed, for remote workers. */
async function planeProcess(
  test: TestContext,
  home: string,
  workerPort: number,
  timings?: Partial<Timings>,
): Promise<{ child: ChildProcess; address: string }> {
  const args = [PLANE, JSON.stringify({ home, workerPort, timings })];
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
  afterwards(test, () => child.kill("SIGKILL"));
  const [line] = await once(child.stdout, "data");
  return { child, address: JSON.parse(line).grpc };
}

function numPoints(home: string, taskId: string): number | undefined {
  const store = LocalStore.open(home);
  try {
    const summary = store.metrics.summaries([taskId]).find(({ name }) => name === "loss");
    return summary && Number(summary.numPoints);
  } finally {
    store.close();
  }
}

describe("a remote worker", () => {
  it("continues its task when the control plane was killed; no report is lost or doubled", async (test) => {
    const home = temporaryFolder(test);
    const port = await freePort();
    const zmq = `tcp://127.0.0.1:${port}`;
    const first = await planeProcess(test, home, port);
    const client = new StillhouseClient(first.address);
    const worker = await TestWorker.connected({ zmq, grpc: "" }, "elsewhere");
    afterwards(test, () => worker.close());
    const { id } = await client.create(quickSpec(), "request");
    const assign = await worker.nextTask();
    await worker.reported(assign, pointsOf(1, 2));
    await worker.reported(assign, logOf("stored, but it is not known here", 2));
    first.child.kill("SIGKILL");
    await once(first.child, "exit");
    client.close();

    const second = await planeProcess(test, home, port);
    const again = new StillhouseClient(second.address);
    afterwards(test, () => again.close());
    await worker.heartbeat(assign);
    await worker.next("introduce");
    const { taskId, attempt } = assign;
    // A process that knows the names of worker and task, but not the secret, does not get the task.
    const impostor = new TestWorker({ zmq, grpc: "" }, "elsewhere");
    afterwards(test, () => impostor.close());
    await impostor.hello(1, { taskId, attempt });
    assert.equal((await impostor.next("acknowledge")).fenced, true);
    await worker.heartbeat(assign);
    await worker.next("introduce");
    await worker.hello(process.pid, { ...claimOf(assign), acknowledged: 1n });
    assert.ok((await worker.next("welcome")).grpcPort > 0);
    worker.move({ zmq, grpc: second.address });
    await worker.report(assign, logOf("stored, but it is not known here", 2), 2n);
    assert.equal((await worker.next("acknowledge")).number, 2n);
    await worker.report(assign, pointsOf(3), 3n);
    assert.equal((await worker.next("acknowledge")).number, 3n);
    await worker.report(assign, { $case: "result", value: await worker.result(assign) }, 4n);
    assert.equal((await worker.next("acknowledge")).number, 4n);
    await worker.finishNext();
    const { experiment } = await ended(again, id);
    assert.equal(experiment?.state, State.SUCCEEDED);
    assert.deepEqual(
      experiment.tasks.map((task) => [task.attempt, task.workerId]),
      [
        [1, "elsewhere"],
        [1, "elsewhere"],
      ],
    );
    const lines = (await eventsOf(again, id)).filter(({ kind }) => kind?.$case === "log");
    assert.equal(lines.length, 1);
    second.child.kill("SIGKILL");
    await once(second.child, "exit");
    assert.equal(numPoints(home, taskId), 3);
  });

  it("loses nothing when it comes back with fifty others, in any order", async (test) => {
    const home = temporaryFolder(test);
    const port = await freePort();
    const zmq = `tcp://127.0.0.1:${port}`;
    // However busy the machine is.
    const timings = { leaseMs: NET_MS, rejoinMs: NET_MS, longestRejoinMs: NET_MS };
    const first = await planeProcess(test, home, port, timings);
    const client = new StillhouseClient(first.address);
    const workers = await Promise.all(
      Array.from({ length: 51 }, (_, at) => TestWorker.connected({ zmq, grpc: "" }, `w${at}`)),
    );
    afterwards(test, () => {
      for (const worker of workers) worker.close();
    });
    for (let seed = 1; seed <= workers.length; seed++) {
      await client.create(baselineSpec(seed, 1), "");
    }
    const assigns = await Promise.all(workers.map((worker) => worker.nextTask()));
    first.child.kill("SIGKILL");
    await once(first.child, "exit");
    client.close();

    const second = await planeProcess(test, home, port, timings);
    const again = new StillhouseClient(second.address);
    afterwards(test, () => again.close());
    const comeBack = async (worker: TestWorker, at: number) => {
      await worker.hello(process.pid, claimOf(assigns[at] as Assign));
      await worker.next("welcome");
    };
    await Promise.all(workers.map(comeBack).reverse());
    const held = new Map((await again.workers()).map(({ id, taskId }) => [id, taskId]));
    assert.deepEqual(
      workers.map(({ id }) => held.get(id)),
      assigns.map(({ taskId }) => taskId),
    );
    const stored = await Promise.all(
      workers.map((worker, at) => worker.finish(assigns[at] as Assign)),
    );
    assert.ok(stored.every(({ fenced, number }) => !fenced && number === 1n));
    for (const { experimentId } of assigns) {
      const { experiment } = await again.get(experimentId);
      assert.equal(experiment?.state, State.SUCCEEDED);
      assert.deepEqual(
        experiment.tasks.map(({ attempt }) => attempt),
        [1],
      );
    }
    second.child.kill("SIGKILL");
    await once(second.child, "exit");
  });

  it("that does not come back loses its task after a while, which does not count against the task", async (test) => {
    const home = temporaryFolder(test);
    const port = await freePort();
    const first = await planeProcess(test, home, port);
    const client = new StillhouseClient(first.address);
    const zmq = `tcp://127.0.0.1:${port}`;
    const worker = await TestWorker.connected({ zmq, grpc: "" }, "elsewhere");
    const { id } = await client.create(quickSpec(), "");
    const old = await worker.nextTask();
    first.child.kill("SIGKILL");
    await once(first.child, "exit");
    client.close();
    worker.close();
    const plane = await TestPlane.start(test, { home, timings: { rejoinMs: 300 } });
    const other = await plane.worker("other");
    const assign = await other.nextTask();
    assert.deepEqual([assign.taskId, assign.attempt], [old.taskId, 2]);
    // Another worker hands in the points of the first attempt late; nothing else of it counts.
    await other.report(old, pointsOf(1, 2), 1n);
    const late = await other.next("acknowledge");
    assert.deepEqual([late.attempt, late.number, late.fenced], [1, 1n, true]);
    await other.report(old, logOf("late", 1), 2n);
    assert.equal((await other.next("acknowledge")).fenced, true);
    await other.finish(assign);
    await other.finishNext();
    assert.equal((await plane.ended(id)).state, State.SUCCEEDED);
    const lines = await eventsOf(plane.client, id);
    assert.ok(!lines.some(({ kind }) => kind?.$case === "log" && kind.value.message === "late"));
    await plane.stop();
    assert.equal(numPoints(home, old.taskId), 2);
  });

  it("that returns with an outdated task is told to stop, and gets another one only after that", async (test) => {
    const plane = await TestPlane.start(test, { timings: { leaseMs: 300 } });
    const worker = await plane.worker("slow");
    const { id } = await plane.client.create(quickSpec(), "");
    const old = await worker.nextTask();
    await plane.seen(id, ({ kind }) => kind?.$case === "task" && kind.value.state === State.QUEUED);
    await worker.heartbeat(old);
    await worker.next("introduce");
    await worker.hello(process.pid, { ...claimOf(old), acknowledged: 0n });
    assert.equal((await worker.next("acknowledge")).fenced, true);
    await worker.heartbeat(old);
    await worker.heartbeat({});
    const assign = await worker.nextTask();
    assert.deepEqual([assign.taskId, assign.attempt], [old.taskId, 2]);
  });
});

async function ended(client: StillhouseClient, id: string) {
  await eventsOf(client, id);
  return client.get(id);
}

/** All stored events of an experiment, once it has ended. */
async function eventsOf(client: StillhouseClient, id: string): Promise<Event[]> {
  const events: Event[] = [];
  for await (const event of client.watch(id, 0n)) if (event.sequence > 0n) events.push(event);
  return events;
}
