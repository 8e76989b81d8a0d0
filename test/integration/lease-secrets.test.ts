import assert from "node:assert/strict";
import { join } from "node:path";
import { describe, type TestContext, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { status } from "@grpc/grpc-js";
import { FailureKind } from "../../src/errors.js";
import { LogLevel, State, TaskResult } from "../../src/generated/stillhouse/v1/experiment.js";
import type { Assign } from "../../src/generated/stillhouse/v1/worker.js";
import { makeKeys } from "../../src/security/keys/make-keys.js";
import { TokenFile } from "../../src/security/token-file.js";
import { failureOf, quickSpec } from "../fixtures/experiments.js";
import { afterwards, temporaryFolder } from "../fixtures/temporary-folder.js";
import { TestPlane } from "./test-plane.js";
import { claimOf, TestWorker } from "./test-worker.js";

/** Wide, since the machine may be busy with other work. */
const NET = { timeout: 120_000 };
/** How long a test waits to see that a stranger gets no answer. */
const PATIENCE_MS = 400;

const FORGED_ACCURACY = 0.123;
const FORGED = TaskResult.fromPartial({
  kind: { $case: "learners", value: { inits: [{ initSeed: 1, accuracy: FORGED_ACCURACY }] } },
});

function pointsOf(name: string) {
  const point = { sequence: 1n, name, step: 1n, value: 0.5, time: new Date(0) };
  return { $case: "metrics" as const, value: { points: [point] } };
}

function lineOf(message: string) {
  const level = LogLevel.INFO;
  return { $case: "log" as const, value: { level, message, time: new Date(0) } };
}

/** What a stranger may know of an assignment, with each secret that they may try. */
function forgeries(assign: Assign, ownSecret: Buffer): Assign[] {
  return [Buffer.alloc(0), Buffer.alloc(32, 1), assign.secret.subarray(1), ownSecret].map(
    (secret) => ({ ...assign, secret }),
  );
}

/** A control plane with keys, for workers that have a key each. */
class KeyedPlane {
  readonly #test: TestContext;
  readonly keys: string;
  readonly tokens: TokenFile;
  readonly #workers: readonly string[];
  readonly home: string;
  #plane: TestPlane | undefined;

  private constructor(test: TestContext, workers: readonly string[]) {
    this.#test = test;
    this.#workers = workers;
    this.home = temporaryFolder(test);
    this.keys = join(this.home, "keys");
    this.tokens = new TokenFile(join(this.home, "tokens.json"));
  }

  static async start(test: TestContext, ...workers: string[]): Promise<KeyedPlane> {
    const started = new KeyedPlane(test, workers);
    const { keys: folder, tokens } = started;
    await makeKeys({ folder, hosts: [], workers, tokens, now: new Date() });
    const security = { keys: folder };
    started.#plane = await TestPlane.start(test, { home: started.home, security });
    return started;
  }

  get plane(): TestPlane {
    assert.ok(this.#plane);
    return this.#plane;
  }

  /** A worker with the keys of `party`. */
  worker(party: string, id: string, routingId?: string): TestWorker {
    assert.ok(this.#workers.includes(party));
    const { workerAddress: zmq, address: grpc } = this.plane.plane;
    const worker = new TestWorker(
      { zmq, grpc, keys: join(this.keys, "workers", party) },
      id,
      routingId,
    );
    afterwards(this.#test, () => worker.close());
    return worker;
  }
}

async function welcomed(worker: TestWorker): Promise<TestWorker> {
  await worker.hello();
  await worker.next("welcome");
  return worker;
}

describe("a worker that knows the task of another one", () => {
  test(
    "cannot report on it, upload, add points or extend its lease, and nothing forged is served",
    NET,
    async (t) => {
      const plane = await TestPlane.start(t, { http: { port: 0 } });
      const [owner, thief] = [await plane.worker("owner"), await plane.worker("thief")];
      const { id } = await plane.client.create(quickSpec(), "");
      await owner.finishNext();
      const { experiment: before } = await plane.client.get(id);
      const evaluate = before?.tasks.find(({ state }) => state === State.RUNNING);
      const assign = await Promise.race([owner.nextTask(), thief.nextTask()]);
      assert.equal(assign.taskId, evaluate?.id);
      const [holder, other] = evaluate?.workerId === "owner" ? [owner, thief] : [thief, owner];
      for (const forged of forgeries(assign, Buffer.alloc(32))) {
        for (const kind of [
          { $case: "result" as const, value: FORGED },
          { $case: "failure" as const, value: failureOf(FailureKind.INVALID) },
          { $case: "stopped" as const, value: { time: undefined } },
          pointsOf("forged"),
          lineOf("forged"),
        ]) {
          await other.report(forged, kind, 1n);
          const { fenced, number } = await other.next("acknowledge");
          assert.deepEqual([fenced, number], [true, 1n], "it is told to stop and to send no more");
        }
        await other.heartbeat(forged);
        assert.equal((await other.next("acknowledge")).fenced, true);
        await assert.rejects(
          other.upload(forged, { "distilled.safetensors": "forged", "m.json": "{}" }),
          { code: status.PERMISSION_DENIED },
        );
      }
      assert.equal((await plane.client.get(id)).experiment?.state, State.RUNNING);
      await holder.finish(assign);
      const done = await plane.ended(id);
      assert.equal(done.state, State.SUCCEEDED);
      const again = await plane.client.create(quickSpec(), "");
      const { tasks } = await plane.ended(again.id);
      const accuracies = tasks.flatMap(({ result }) =>
        result?.kind?.$case === "learners" ? result.kind.value.inits.map((i) => i.accuracy) : [],
      );
      assert.ok(tasks.every(({ reused }) => reused) && accuracies.length > 0);
      assert.ok(accuracies.every((accuracy) => accuracy !== FORGED_ACCURACY));
      const summaries = await plane.client.metrics(id);
      assert.ok(!summaries.some(({ name }) => name === "forged"));
      const text = await (await fetch(`${plane.plane.httpAddress}/metrics`)).text();
      assert.match(text, /stillhouse_lease_refusals_total\{message="report"\} 20/);
      assert.match(text, /stillhouse_lease_refusals_total\{message="heartbeat"\} 4/);
      assert.match(text, /stillhouse_lease_refusals_total\{message="upload"\} 4/);
      const told = plane.warnings.filter((line) => /secret/.test(line));
      assert.ok(told.length >= 1 && told.length < 5, "many refusals give few lines");
    },
  );

  test("cannot replace its artifact, nor claim it in a hello", NET, async (t) => {
    const plane = await TestPlane.start(t);
    const owner = await plane.worker("owner");
    const { id } = await plane.client.create(quickSpec(), "");
    const assign = await owner.nextTask();
    const thief = plane.rawWorker("thief");
    await thief.hello(1, { taskId: assign.taskId, attempt: assign.attempt });
    assert.equal((await thief.next("acknowledge")).fenced, true);
    // Without keys any process may use any id, but the lease still has one holder.
    const namesake = plane.rawWorker("owner");
    await namesake.hello(2, { taskId: assign.taskId, attempt: assign.attempt });
    assert.equal((await namesake.next("acknowledge")).fenced, true);
    await owner.heartbeat(assign);
    await owner.next("introduce");
    await owner.hello(process.pid, claimOf(assign));
    await owner.next("welcome");
    await owner.finish(assign);
    const { experiment } = await plane.client.get(id);
    assert.deepEqual(
      experiment?.tasks.map(({ attempt }) => attempt).slice(0, 1),
      [1],
      "the attempt was never lost",
    );
  });
});

describe("a worker's id", () => {
  test("belongs to the key that first used it, until that key is removed", NET, async (t) => {
    const there = await KeyedPlane.start(t, "gpu", "thief");
    const owner = await welcomed(there.worker("gpu", "gpu-1"));
    const second = await welcomed(there.worker("gpu", "gpu-2"));
    const { id } = await there.plane.client.create(quickSpec(), "");
    const assign = await Promise.race([owner.nextTask(), second.nextTask()]);
    for (const taken of ["gpu-1", "gpu-2"]) {
      const thief = there.worker("thief", taken);
      await thief.hello(1);
      const { reason } = await thief.next("shutdown");
      assert.match(reason, new RegExp(`"${taken}" belongs to another key.*--id`));
      await thief.heartbeat(assign);
      await thief.next("introduce");
    }
    await there.plane.client.cancel(id);
    const holder = await Promise.race([
      owner.next("cancel").then(() => owner),
      second.next("cancel").then(() => second),
    ]);
    await holder.reported(assign, { $case: "stopped", value: { time: undefined } });
    there.tokens.remove("worker-gpu");
    const thief = there.worker("thief", "gpu-1");
    await welcomed(thief);
    const removed = there.worker("gpu", "gpu-3");
    await removed.hello();
    assert.match((await removed.next("shutdown")).reason, /not known, or was removed/);
  });

  test("of a worker that the control plane starts itself is refused to others", NET, async (t) => {
    const there = await KeyedPlane.start(t, "gpu");
    const worker = there.worker("gpu", "worker-0123abcd");
    await worker.hello();
    assert.match((await worker.next("shutdown")).reason, /belongs to another key/);
  });

  test(
    "is no address: another process that connects under it receives none of its messages",
    NET,
    async (t) => {
      const there = await KeyedPlane.start(t, "gpu", "thief");
      const owner = await welcomed(there.worker("gpu", "gpu-1"));
      const thief = there.worker("thief", "thief", "gpu-1");
      await there.plane.client.create(quickSpec(), "");
      const heard = Promise.race(
        (["assign", "introduce", "welcome"] as const).map((kind) => thief.next(kind)),
      );
      const assign = await owner.nextTask();
      await owner.heartbeat(assign);
      assert.equal(await Promise.race([heard, sleep(PATIENCE_MS, "silence")]), "silence");
    },
  );
});

describe("an artifact", () => {
  test("is given to a worker only for the task that needs it", NET, async (t) => {
    const there = await KeyedPlane.start(t, "gpu", "other");
    const worker = await welcomed(there.worker("gpu", "gpu-1"));
    const { id } = await there.plane.client.create(quickSpec(), "");
    await worker.finishNext();
    const assign = await worker.nextTask();
    const other = there.worker("other", "other");
    const file = "distilled.safetensors";
    const isDenied = { code: status.PERMISSION_DENIED };
    await assert.rejects(other.download(id, file), isDenied);
    await assert.rejects(
      other.download(id, file, { ...assign, secret: Buffer.alloc(32) }),
      isDenied,
    );
    await assert.rejects(worker.download("another", file, assign), isDenied);
    assert.equal((await worker.download(id, file, assign)).text, "x");
  });
});

describe("on loopback", () => {
  test(
    "workers need keys as soon as there are tokens, and those of the session are enough",
    NET,
    async (t) => {
      const home = temporaryFolder(t);
      new TokenFile(join(home, "tokens.json")).add("someone", "admin", new Date());
      const plane = await TestPlane.start(t, { home });
      const { workerAddress: zmq, address: grpc } = plane.plane;
      const stranger = new TestWorker({ zmq, grpc }, "stranger");
      afterwards(t, () => stranger.close());
      void stranger.hello();
      const answer = Promise.race([stranger.next("welcome"), stranger.next("shutdown")]);
      assert.equal(await Promise.race([answer, sleep(PATIENCE_MS, "silence")]), "silence");
      const worker = await plane.worker("own");
      const { id } = await plane.client.create(quickSpec(), "");
      await worker.finishNext();
      await worker.finishNext();
      assert.equal((await plane.ended(id)).state, State.SUCCEEDED);
    },
  );

  test("tokens that are added while it runs are required at the next hello", NET, async (t) => {
    const home = temporaryFolder(t);
    const plane = await TestPlane.start(t, { home });
    const { workerAddress: zmq, address: grpc } = plane.plane;
    const before = await TestWorker.connected({ zmq, grpc }, "before");
    afterwards(t, () => before.close());
    new TokenFile(join(home, "tokens.json")).add("someone", "admin", new Date());
    await before.hello();
    assert.match((await before.next("shutdown")).reason, /bearer token is needed.*--keys/);
    await plane.worker("own");
  });
});

test("a worker of an earlier version is told that it is too old", NET, async (t) => {
  const plane = await TestPlane.start(t);
  const worker = plane.rawWorker("old");
  await worker.hello(process.pid, { protocol: 0 });
  assert.match((await worker.next("shutdown")).reason, /too old.*update it/);
  assert.match(plane.warnings.join("\n"), /worker "old" of host "h" was refused: .*too old/);
});
