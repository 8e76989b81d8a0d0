import assert from "node:assert/strict";
import { once } from "node:events";
import { describe } from "node:test";
import { FailureKind } from "../../src/errors.js";
import { State, TaskResult } from "../../src/generated/stillhouse/v1/experiment.js";
import type { ExperimentSpec } from "../../src/generated/stillhouse/v1/spec.js";
import type { Assign, TeamStore } from "../../src/generated/stillhouse/v1/worker.js";
import { failureOf, quickSpec } from "../fixtures/experiments.js";
import { freePort } from "../fixtures/free-port.js";
import { afterwards, temporaryFolder } from "../fixtures/temporary-folder.js";
import { it, until } from "../fixtures/waiting.js";
import { planeProcess } from "./plane-process.js";
import { TestPlane } from "./test-plane.js";
import { claimOf, TestWorker } from "./test-worker.js";

const STORE: TeamStore = { address: "10.0.0.1:4000", token: "t" };
/** What a member of a team hands in: that it has done its part. */
const DONE = { $case: "result", value: TaskResult.fromPartial({}) } as const;

function specOf(numDevices = 2, seed = 7): ExperimentSpec {
  const spec = quickSpec(seed);
  spec.compute = { ...spec.compute, numDevices, memoryMib: 0 } as typeof spec.compute;
  return spec;
}

/** A worker of a machine of its own. */
async function hostOf(plane: TestPlane, name: string): Promise<TestWorker> {
  const worker = plane.rawWorker(name);
  await worker.hello(1, { machineId: name, host: name, address: `10.0.0.${name.length}` });
  await worker.next("welcome");
  return worker;
}

interface Team {
  readonly id: string;
  readonly leader: TestWorker;
  readonly lead: Assign;
  readonly member: TestWorker;
  readonly part: Assign;
}

/** Two hosts that share a distillation. */
async function teamOf(plane: TestPlane, names: [string, string] = ["a", "bb"]): Promise<Team> {
  const [leader, member] = [await hostOf(plane, names[0]), await hostOf(plane, names[1])];
  const { id } = await plane.client.create(specOf(), "");
  const lead = await leader.nextTask();
  await leader.reported(lead, { $case: "teamStore", value: STORE });
  return { id, leader, lead, member, part: await member.nextTask() };
}

describe("a team of workers", () => {
  it("has a leader, which says where the others are to come, and each a lease of its own", async (test) => {
    const plane = await TestPlane.start(test);
    const { id, leader, lead, member, part } = await teamOf(plane);
    assert.deepEqual(lead.team, { rank: 0, size: 2, store: undefined });
    assert.deepEqual(part.team, { rank: 1, size: 2, store: STORE });
    assert.deepEqual([lead.taskId, part.taskId], [`${id}-distill`, `${id}-distill.1`]);
    assert.equal(part.attempt, lead.attempt);
    assert.notDeepEqual(part.secret, lead.secret);
    const { tasks } = await plane.experiment(id);
    assert.deepEqual([tasks[0]?.workerId, tasks[0]?.memberIds], ["a", ["bb"]]);
    const workers = await plane.client.workers();
    assert.deepEqual(
      workers.map(({ taskId }) => taskId),
      [lead.taskId, lead.taskId],
    );
    await member.reported(part, DONE);
    await leader.finish(lead);
    for (const worker of [leader, member]) void worker.finishNext();
    assert.equal((await plane.ended(id)).state, State.SUCCEEDED);
  });

  it("has a member hand in nothing, and hears of the task from its leader alone", async (test) => {
    const plane = await TestPlane.start(test);
    const { member, part, lead } = await teamOf(plane);
    await assert.rejects(member.upload(part, { "m.json": "{}" }), /of a member of a team/);
    const claim = { ...claimOf(part), secret: lead.secret };
    await member.heartbeat(claim);
    assert.equal((await member.next("acknowledge")).fenced, true);
  });

  it("is dropped as a whole when a member is lost, and begins again under another attempt", async (test) => {
    const plane = await TestPlane.start(test);
    const { id, leader, lead, member } = await teamOf(plane);
    const other = await hostOf(plane, "ccc");
    await member.send({ $case: "goodbye", value: {} });
    const { fenced, attempt } = await leader.next("acknowledge");
    assert.deepEqual([fenced, attempt], [true, 1]);
    await leader.heartbeat({});
    const again = await leader.nextTask();
    assert.deepEqual([again.taskId, again.attempt], [lead.taskId, 2]);
    await leader.reported(again, { $case: "teamStore", value: { ...STORE, token: "u" } });
    const part = await other.nextTask();
    assert.deepEqual([part.attempt, part.team?.store?.token], [2, "u"]);
    const logs = await until(async () => {
      const events = [];
      for await (const event of plane.client.watch(id, 0n)) {
        events.push(event);
        if (event.kind?.$case === "log") return events;
      }
      return undefined;
    });
    assert.match(
      JSON.stringify(logs.at(-1)?.kind),
      /lost: it said goodbye \(worker bb of its team\)/,
    );
  });

  it("notices a silent member within the lease, while its leader is heard", async (test) => {
    const leaseMs = 1_500;
    const plane = await TestPlane.start(test, { timings: { leaseMs } });
    const { leader, lead } = await teamOf(plane);
    let isFenced = false;
    void leader.next("acknowledge").then(({ fenced }) => {
      isFenced = fenced;
    });
    await until(async () => {
      await leader.heartbeat(lead);
      return isFenced || undefined;
    });
    assert.ok(plane.warnings.some((line) => /worker bb is given up: it sent nothing/.test(line)));
  });

  it("keeps a member that waits for its leader's word, whatever that takes", async (test) => {
    const plane = await TestPlane.start(test, { timings: { leaseMs: 1_000 } });
    const leader = await hostOf(plane, "a");
    const member = await hostOf(plane, "bb");
    await plane.client.create(specOf(), "");
    const lead = await leader.nextTask();
    const startMs = performance.now();
    while (performance.now() - startMs < 3_000) {
      await leader.heartbeat(lead);
      await member.heartbeat({});
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    await leader.reported(lead, { $case: "teamStore", value: STORE });
    assert.equal((await member.nextTask()).attempt, 1);
  });

  it("lets its members go when the leader ends or is lost", async (test) => {
    const plane = await TestPlane.start(test);
    const { leader, member, part } = await teamOf(plane);
    await leader.send({ $case: "goodbye", value: {} });
    const { fenced, taskId } = await member.next("acknowledge");
    assert.deepEqual([fenced, taskId], [true, part.taskId]);
  });

  it("fails with what is wrong at a member, unless another attempt may help", async (test) => {
    const plane = await TestPlane.start(test);
    const { id, leader, member, part } = await teamOf(plane);
    await member.report(part, { $case: "failure", value: failureOf(FailureKind.NOT_FOUND) });
    assert.equal((await leader.next("acknowledge")).fenced, true);
    const { state, failure } = await plane.ended(id);
    assert.equal(state, State.FAILED);
    assert.match(failure?.message ?? "", /worker bb of its team: it is/);
  });

  it("stops after the checkpoint of its leader, which alone is told", async (test) => {
    const plane = await TestPlane.start(test);
    const { id, leader, lead, member, part } = await teamOf(plane);
    await plane.client.cancel(id);
    await leader.next("cancel");
    await leader.reported(lead, { $case: "stopped", value: { time: undefined } });
    const { fenced, taskId } = await member.next("acknowledge");
    assert.deepEqual([fenced, taskId], [true, part.taskId]);
    assert.equal((await plane.ended(id)).state, State.CANCELLED);
  });

  it("goes on when the control plane was killed and has been started again", async (test) => {
    const [home, workerPort] = [temporaryFolder(test), await freePort()];
    const first = await planeProcess(test, process.env, { home, workerPort });
    const addresses = { zmq: `tcp://127.0.0.1:${workerPort}`, grpc: "" };
    const [leader, member] = ["a", "bb"].map((name) => new TestWorker(addresses, name));
    assert.ok(leader && member);
    for (const worker of [leader, member]) afterwards(test, () => worker.close());
    // The first one that is known leads.
    for (const worker of [leader, member]) {
      await worker.hello(1, { machineId: worker.id, address: "10.0.0.1" });
      await worker.next("welcome");
    }
    await first.client.create(specOf(), "");
    const lead = await leader.nextTask();
    await leader.reported(lead, { $case: "teamStore", value: STORE });
    const part = await member.nextTask();
    first.child.kill("SIGKILL");
    await once(first.child, "exit");
    await planeProcess(test, process.env, { home, workerPort });
    await leader.heartbeat(lead);
    await leader.next("introduce");
    for (const [worker, assign] of [
      [leader, lead],
      [member, part],
    ] as const) {
      await worker.hello(1, { machineId: worker.id, ...claimOf(assign) });
      await worker.next("welcome");
    }
    const { fenced } = await member.reported(part, DONE);
    assert.equal(fenced, false);
  });
});
