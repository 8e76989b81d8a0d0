import assert from "node:assert/strict";
import { beforeEach, describe, it } from "node:test";
import { DEFAULT_TIMINGS, Leases } from "../../src/experiment/scheduling/leases.js";
import { Roster } from "../../src/experiment/scheduling/roster.js";
import { Hello } from "../../src/generated/stillhouse/v1/worker.js";

const { leaseMs, hungAfterMs, stopGraceMs, tickMs } = DEFAULT_TIMINGS;

describe("leases", () => {
  let nowMs: number;
  let leases: Leases;

  beforeEach(() => {
    nowMs = 1_000;
    leases = new Leases(DEFAULT_TIMINGS, () => nowMs);
    leases.grant({ taskId: "t", experimentId: "e", attempt: 2, workerId: "w" });
  });

  /** Lets time pass, tick by tick: looks at the deadlines, after a heartbeat where one is given. */
  function pass(durationMs: number, heartbeat?: () => bigint) {
    const reasons: string[] = [];
    for (const endMs = nowMs + durationMs; nowMs < endMs; ) {
      nowMs += tickMs;
      if (heartbeat) leases.extend("w", "t", 2, heartbeat());
      reasons.push(...leases.expiredLeases().map(({ reason }) => reason));
    }
    return reasons;
  }

  it("run out when the worker is silent, and heartbeats extend them", () => {
    let counter = 0n;
    assert.deepEqual(
      pass(5 * leaseMs, () => counter++),
      [],
    );
    assert.deepEqual(pass(leaseMs), []);
    assert.match(pass(tickMs)[0] ?? "", /it sent nothing for 60 s/);
  });

  it("run out when heartbeats continue but the task makes no progress", () => {
    assert.deepEqual(
      pass(hungAfterMs, () => 7n),
      [],
    );
    assert.match(pass(2 * tickMs, () => 7n)[0] ?? "", /made no progress for 600 s/);
  });

  it("run out when a task does not stop after it was told to", () => {
    const [lease] = leases.runningLeases();
    assert.ok(lease);
    lease.cancelledAtMs = nowMs;
    let counter = 0n;
    assert.deepEqual(
      pass(stopGraceMs, () => counter++),
      [],
    );
    assert.match(pass(tickMs, () => counter++)[0] ?? "", /did not stop within 30 s/);
  });

  it("are extended only by the worker and the attempt that hold them", () => {
    nowMs += leaseMs;
    leases.expiredLeases();
    leases.extend("another", "t", 2, 1n);
    leases.extend("w", "t", 1, 1n);
    assert.equal(pass(2 * leaseMs).length > 0, true);
  });

  it("are found only by the current attempt", () => {
    assert.equal(leases.currentLease("t", 1), undefined);
    assert.equal(leases.currentLease("t", 2)?.workerId, "w");
    leases.release("t");
    assert.equal(leases.currentLease("t", 2), undefined);
  });

  describe("of an earlier control plane", () => {
    const { rejoinMs, longestRejoinMs } = DEFAULT_TIMINGS;

    beforeEach(() => {
      leases.release("t");
      for (const each of ["1", "2", "3"]) {
        const ids = { taskId: `t${each}`, workerId: `w${each}`, experimentId: "e" };
        leases.await({ ...ids, attempt: 1 });
      }
    });

    function comeBack(taskId: string) {
      const lease = leases.leaseOfTask(taskId);
      assert.ok(lease);
      leases.noteHello();
      leases.adopt(lease, 0n);
    }

    it("run out together, when no worker has come back for a while", () => {
      assert.deepEqual(pass(rejoinMs), []);
      const [reason, ...others] = pass(tickMs);
      assert.match(reason ?? "", /it did not come back within 30 s/);
      assert.equal(others.length, 2);
    });

    it("last longer with every worker that comes back, also one without a task", () => {
      pass(rejoinMs - tickMs);
      comeBack("t1");
      assert.deepEqual(pass(rejoinMs - tickMs), []);
      leases.noteHello();
      assert.deepEqual(pass(rejoinMs), []);
      assert.match(pass(tickMs)[0] ?? "", /it did not come back within 88 s/);
    });

    it("do not last for ever, whoever joins", () => {
      const reasons: string[] = [];
      for (let waitedMs = 0; waitedMs < longestRejoinMs; waitedMs += 10 * tickMs) {
        leases.noteHello();
        reasons.push(...pass(10 * tickMs));
      }
      assert.deepEqual(reasons, []);
      leases.noteHello();
      assert.match(pass(tickMs)[0] ?? "", /it did not come back within 300 s/);
    });
  });

  it("do not run out while this process itself was stopped", () => {
    leases.expiredLeases();
    nowMs += 10 * leaseMs;
    assert.deepEqual(leases.expiredLeases(), []);
    assert.deepEqual(pass(leaseMs - 2 * tickMs), []);
    assert.equal(pass(4 * tickMs).length > 0, true);
  });

  it("count no time in which this process had no processor and looked late", () => {
    const looks = { inTime: 0, late: 0 };
    for (const [kind, betweenMs] of [
      ["inTime", 1.2 * tickMs],
      ["late", 2 * tickMs],
    ] as const) {
      leases.extend("w", "t", 2, 0n);
      for (; leases.expiredLeases().length === 0; nowMs += betweenMs) looks[kind]++;
    }
    assert.deepEqual(looks, { inTime: 51, late: 61 });
  });
});

function hello(workerId: string, pid: number): Hello {
  return Hello.fromPartial({ workerId, pid, host: "host", device: "cpu" });
}

describe("the roster", () => {
  it("distinguishes a repeated hello from a restarted process", () => {
    const roster = new Roster(() => 0);
    assert.equal(roster.register(hello("w", 1)), true);
    roster.markBusy("w");
    assert.equal(roster.register(hello("w", 1)), false);
    assert.equal(roster.idleWorkers("cpu")[0]?.workerId, undefined);
    assert.equal(roster.register(hello("w", 2)), true);
    assert.equal(roster.idleWorkers("cpu")[0]?.workerId, "w");
  });

  it("counts a worker that was launched until it has ended, and gives it nothing more", () => {
    const roster = new Roster(() => 0);
    roster.addLaunched("launched", "local", { device: "cpu", numDevices: 1, memoryBytes: 0 });
    assert.ok(roster.isStarting("launched"));
    roster.register(hello("launched", 1));
    roster.register(hello("remote", 2));
    roster.markLeaving("launched");
    roster.markLeaving("remote");
    assert.equal(roster.idleWorkers("cpu")[0]?.workerId, undefined);
    assert.deepEqual([roster.numLaunchedBy("local"), roster.size()], [1, 1]);
    roster.markFree("launched");
    assert.equal(roster.idleWorkers("cpu")[0]?.workerId, undefined);
    roster.remove("launched");
    assert.equal(roster.size(), 0);
  });
});
