import assert from "node:assert/strict";
import { describe, type TestContext, test } from "node:test";
import { FailureKind } from "../../src/errors.js";
import { type ExperimentRecord, mustStop } from "../../src/experiment/domain/record.js";
import { StorageFault } from "../../src/experiment/domain/storage-fault.js";
import {
  cancelExperiment,
  completeTask,
  failTask,
  leaseTask,
  stopTask,
} from "../../src/experiment/domain/transitions.js";
import { EventFeed } from "../../src/experiment/scheduling/event-feed.js";
import { Ledger } from "../../src/experiment/scheduling/ledger.js";
import { ReadyTasks } from "../../src/experiment/scheduling/ready-tasks.js";
import { State } from "../../src/generated/stillhouse/v1/experiment.js";
import { Sweep } from "../../src/generated/stillhouse/v1/service.js";
import { LocalStore } from "../../src/store/local-store.js";
import {
  failureOf,
  LEARNERS,
  NOW,
  plannedRecord,
  quickSpec,
  resolvedSpec,
  statesOf,
} from "../fixtures/experiments.js";
import { temporaryFolder } from "../fixtures/temporary-folder.js";

const SWEEP = "sweep1";
const SIZE = { experiments: 3, tasks: 6 };

/** A clock on which every piece of work takes longer than a turn. */
function slowClock() {
  let nowMs = 0;
  return { now: () => NOW, monotonicMs: () => (nowMs += 1_000) };
}

function opened(test: TestContext, home: string) {
  const store = LocalStore.open(home);
  test.after(() => store.close());
  const clock = slowClock();
  const ready = new ReadyTasks(clock.monotonicMs, 1, () => 0);
  const ledger = new Ledger(store.experiments, store.artifacts, new EventFeed(), clock, ready);
  return { store, ready, ledger };
}

function ofSweep(id: string): ExperimentRecord {
  const record = plannedRecord(id, quickSpec());
  return { ...record, experiment: { ...record.experiment, sweepId: SWEEP } };
}

/** Counts how often others have their turn until `promise` is settled. */
async function turnsUntil(promise: Promise<unknown>): Promise<number> {
  let turns = 0;
  let isSettled = false;
  const settled = () => {
    isSettled = true;
  };
  promise.then(settled, settled);
  while (!isSettled) {
    await new Promise((resolve) => setImmediate(resolve));
    turns++;
  }
  return turns;
}

describe("a sweep that is stored in pieces", () => {
  test("lets other calls run, and is invisible before it is complete", async (test) => {
    const { store, ready, ledger } = opened(test, temporaryFolder(test));
    const seen: string[] = [];
    const records = (function* () {
      for (const id of ["ex1", "ex2", "ex3"]) {
        if (id === "ex3") {
          const notFound = { kind: FailureKind.NOT_FOUND };
          assert.throws(() => ledger.record("ex1"), notFound);
          assert.equal(ready.nextTask("cpu"), undefined);
          seen.push(id);
        }
        yield ofSweep(id);
      }
    })();
    const added = ledger.addSweep("", SIZE, records, () =>
      store.sweeps.createSweep(Sweep.fromPartial({ id: SWEEP }), ""),
    );
    assert.ok((await turnsUntil(added)) >= 6, "it kept others waiting");
    await added;
    assert.deepEqual(seen, ["ex3"]);
    assert.equal(ledger.record("ex1").experiment.state, State.QUEUED);
    assert.equal(ready.readyTasks().length, 3);
  });

  test("is removed if it was not stored completely: at once, or at the next start after a kill", async (test) => {
    const home = temporaryFolder(test);
    const { store, ledger } = opened(test, home);
    const stopped = (function* () {
      yield ofSweep("ex1");
      throw new Error("the control plane is stopping");
    })();
    await assert.rejects(
      ledger.addSweep("", SIZE, stopped, () => undefined),
      /is stopping/,
    );
    assert.equal(store.experiments.find("ex1"), undefined);

    store.experiments.create({ record: ofSweep("ex2"), tasks: [], events: [] }, "");
    store.close();
    const again = opened(test, home);
    assert.equal(again.store.experiments.find("ex2"), undefined);
  });
});

describe("a result that several tasks wait for", () => {
  /** Five experiments with the full-data baseline: the first has its result, the last reuses none. */
  function withResult(test: TestContext) {
    const all = opened(test, temporaryFolder(test));
    const { ledger, store } = all;
    const spec = quickSpec();
    spec.baseline = { ...spec.baseline, full: true } as typeof spec.baseline;
    const ids = ["ex1", "ex2", "ex3", "ex4", "ex5"];
    for (const id of ids) {
      const record = plannedRecord(id, spec);
      const reuseAfter = id === "ex5" ? new Date(NOW.getTime() + 1) : undefined;
      ledger.add({ ...record, experiment: { ...record.experiment, reuseAfter } }, "");
      lease(ledger, id, `${id}-distill`);
    }
    const reads = test.mock.method(store.experiments, "findResults");
    lease(ledger, "ex1", "ex1-full");
    ledger.update("ex1", (record, now) => completeTask(record, "ex1-full", LEARNERS, now));
    const stateOf = (id: string) => statesOf(ledger.record(id)).full;
    const given = () => ids.slice(1).filter((id) => stateOf(id) === "succeeded");
    return { ...all, given, reads };
  }

  function lease(ledger: Ledger, id: string, taskId: string): void {
    ledger.update(id, (record, now) => leaseTask(record, taskId, now, "w1"));
  }

  test("is read once and given in turns; a task that cannot take it starts when all others have it", (test) => {
    const { ledger, ready, given, reads } = withResult(test);
    const inTurn: string[] = [];
    for (const id of ["ex2", "ex3", "ex4"]) {
      inTurn.push(id);
      assert.equal(ready.nextTask("cpu"), undefined);
      assert.equal(ledger.shareResults(), true);
      assert.deepEqual(given(), inTurn);
    }
    assert.equal(ledger.shareResults(), false);
    assert.deepEqual(given(), inTurn);
    assert.equal(reads.mock.callCount(), 1);
    assert.equal(ready.nextTask("cpu")?.taskId, "ex5-full");
  });

  test("is given to the same task again where it could not be stored", (test) => {
    const { ledger, store, given } = withResult(test);
    ledger.shareResults();
    const commit = test.mock.method(store.experiments, "commit", () => {
      throw new StorageFault(FailureKind.EXHAUSTED, "the disk is full");
    });
    assert.throws(() => ledger.shareResults(), { kind: FailureKind.EXHAUSTED });
    assert.deepEqual(given(), ["ex2"]);
    commit.mock.restore();
    while (ledger.shareResults());
    assert.deepEqual(given(), ["ex2", "ex3", "ex4"]);
  });
});

describe("a start", () => {
  test("loads a long queue in turns, and shares results in one change per experiment", async (test) => {
    const home = temporaryFolder(test);
    const before = opened(test, home);
    const spec = quickSpec();
    spec.evaluation = { ...spec.evaluation, inits: 60 } as typeof spec.evaluation;
    spec.robustness = undefined;
    before.ledger.add(plannedRecord("ex1", spec), "");
    before.ledger.add(plannedRecord("ex2", spec), "");
    const { tasks } = before.ledger.record("ex1");
    const shards = tasks.slice(1).map(({ task }) => task);
    // Of ex1 everything but the distillation is done; ex2 was stored as by a process that then ended.
    before.store.experiments.commit({
      record: before.ledger.record("ex1"),
      tasks: shards.map((task) => ({
        numLost: 0,
        task: { ...task, state: State.SUCCEEDED, result: LEARNERS, endTime: NOW },
      })),
      events: [],
    });
    before.store.close();

    const { store, ledger } = opened(test, home);
    const numEvents = store.experiments.lastSequence("ex2");
    const loaded = ledger.load(
      () => true,
      () => false,
    );
    assert.ok((await turnsUntil(loaded)) >= 2, "it kept others waiting");
    const states = ledger.record("ex2").tasks.map(({ task }) => task.state);
    assert.deepEqual(states.slice(1), Array(6).fill(State.SUCCEEDED));
    // One for each task and one for the experiment, whose state changed once.
    assert.equal(store.experiments.lastSequence("ex2") - numEvents, 7n);
  });
});

describe("a start that is told to end", () => {
  test("ends at its next turn, and the next start loads the rest", async (test) => {
    const home = temporaryFolder(test);
    const before = opened(test, home);
    for (const id of ["ex1", "ex2"]) before.ledger.add(plannedRecord(id), "");
    before.store.close();
    const ended = opened(test, home);
    const stop = new AbortController();
    const loaded = ended.ledger.load(
      () => true,
      () => false,
      stop.signal,
    );
    stop.abort();
    await assert.rejects(loaded, (reason) => reason === stop.signal.reason);
    ended.store.close();
    const { ledger } = opened(test, home);
    await ledger.load(
      () => true,
      () => false,
    );
    assert.deepEqual(
      ledger.waitingRecords("", 10).map(({ experiment }) => experiment.id),
      ["ex1", "ex2"],
    );
  });
});

describe("what could start", () => {
  test("is computed by reading an experiment once, however many tasks it has", () => {
    const ready = new ReadyTasks(
      () => 0,
      1,
      () => 0,
    );
    const spec = quickSpec();
    spec.evaluation = { ...spec.evaluation, inits: 3_000 } as typeof spec.evaluation;
    const planned = plannedRecord("ex1", spec);
    let numReads = 0;
    const counted = (record: ExperimentRecord): ExperimentRecord => ({
      ...record,
      tasks: new Proxy(record.tasks as ExperimentRecord["tasks"] & object, {
        get: (tasks, key, self) => {
          if (typeof key === "string" && /^\d+$/.test(key)) numReads++;
          return Reflect.get(tasks, key, self);
        },
      }),
    });
    ready.update(counted(planned));
    const distil = planned.tasks[0]?.task.id ?? "";
    const running = leaseTask(planned, distil, NOW);
    ready.update(counted(completeTask(running, distil, LEARNERS, NOW)));
    assert.equal(ready.readyTasks().length, 300);
    assert.ok(numReads < 20 * planned.tasks.length, `it looked at a task ${numReads} times`);
  });
});

describe("experiments whose tasks must stop", () => {
  test("are those that are cancelled or have failed, as long as one of their tasks runs", (test) => {
    const { ledger } = opened(test, temporaryFolder(test));
    for (const id of ["ex1", "ex2", "ex3"]) {
      ledger.add(plannedRecord(id, resolvedSpec()), "");
      ledger.update(id, (record, now) => leaseTask(record, `${id}-random`, now, "w"));
    }
    assert.deepEqual(ledger.stoppingIds(), []);
    ledger.update("ex1", cancelExperiment);
    ledger.update("ex2", (record, now) => leaseTask(record, "ex2-distill", now, "v"));
    ledger.update("ex2", (record, now) =>
      failTask(record, "ex2-distill", failureOf(FailureKind.INTERNAL), now),
    );
    const isStopping = (id: string) => mustStop(ledger.record(id));
    assert.deepEqual(ledger.stoppingIds(), ["ex1", "ex2"]);
    assert.deepEqual(["ex1", "ex2", "ex3"].filter(isStopping), ["ex1", "ex2"]);
    for (const id of ["ex1", "ex2"]) {
      ledger.update(id, (record, now) => stopTask(record, `${id}-random`, now));
    }
    assert.deepEqual(ledger.stoppingIds(), []);
  });
});
