import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type ExperimentRecord, findTask } from "../../src/experiment/domain/record.js";
import {
  cancelExperiment,
  completeTask,
  leaseTask,
  loseTask,
  resumeExperiment,
  stopTask,
} from "../../src/experiment/domain/transitions.js";
import { ReadyTasks } from "../../src/experiment/scheduling/ready-tasks.js";
import {
  DISTILLED,
  LEARNERS,
  NOW,
  plannedRecord,
  quickSpec,
  resolvedSpec,
} from "../fixtures/experiments.js";

/** Experiments whose tasks are started and ended, and those of the tasks that are ready. */
class Queue {
  readonly records = new Map<string, ExperimentRecord>();
  nowMs = 0;
  /** The limit of every sweep. */
  sweepLimit = 0;
  readonly ready = new ReadyTasks(
    () => this.nowMs,
    1_000,
    () => this.sweepLimit,
  );

  constructor(...records: ExperimentRecord[]) {
    for (const record of records) this.set(record);
  }

  set(record: ExperimentRecord): void {
    this.records.set(record.experiment.id, record);
    this.ready.update(record);
  }

  change(taskId: string, change: (record: ExperimentRecord) => ExperimentRecord): void {
    const record = this.records.get(taskId.slice(0, taskId.lastIndexOf("-")));
    assert.ok(record);
    this.set(change(record));
  }

  start(taskId: string): void {
    this.change(taskId, (record) => leaseTask(record, taskId, NOW));
  }

  succeed(taskId: string): void {
    const result = taskId.endsWith("distill") ? DISTILLED : LEARNERS;
    this.change(taskId, (record) => completeTask(record, taskId, result, NOW));
  }

  lose(taskId: string): void {
    this.change(taskId, (record) => loseTask(record, taskId, "gone", "", NOW));
  }

  /** Starts the next task, if there is one. */
  startNext(kind = "cpu"): string | undefined {
    const taskId = this.ready.nextTask(kind)?.taskId;
    if (taskId !== undefined) this.start(taskId);
    return taskId;
  }

  /** Starts all that can be started, in the order of dispatch. */
  startAll(kind = "cpu"): string[] {
    const started: string[] = [];
    for (let id = this.startNext(kind); id !== undefined; id = this.startNext(kind)) {
      started.push(id);
    }
    return started;
  }
}

interface Placed {
  readonly owner?: string;
  readonly priority?: number;
  readonly device?: string;
  readonly memoryMib?: number;
  readonly sweepId?: string;
}

/** An experiment of its own seed, so that it shares no result with another one. */
function experimentOf(id: string, placed: Placed = {}) {
  const { owner = "", priority = 0, device = "cpu", memoryMib = 0, sweepId = "" } = placed;
  const spec = quickSpec(Number.parseInt(id, 36) % 1_000_000);
  spec.compute = { ...spec.compute, device, memoryMib } as typeof spec.compute;
  const record = plannedRecord(id, spec);
  return { ...record, experiment: { ...record.experiment, owner, priority, sweepId } };
}

describe("the order of dispatch", () => {
  it("is distil, then evaluate as soon as it can, then the baselines", () => {
    const queue = new Queue(plannedRecord());
    assert.equal(queue.startNext(), "ex1-distill");
    assert.equal(queue.ready.nextTask("cpu")?.taskId, "ex1-full");
    queue.succeed("ex1-distill");
    assert.deepEqual(queue.startAll(), ["ex1-evaluate", "ex1-full", "ex1-random", "ex1-untrained"]);
  });

  it("is by age between experiments; what was interrupted keeps its place", () => {
    const queue = new Queue(...["a", "b", "c"].map((id) => experimentOf(id)));
    assert.equal(queue.startNext(), "a-distill");
    assert.equal(queue.startNext(), "b-distill");
    queue.change("a-distill", (record) => stopTask(record, "a-distill", NOW));
    assert.deepEqual(queue.startAll(), ["a-distill", "c-distill"]);
  });

  it("is by priority before all else", () => {
    const queue = new Queue(
      experimentOf("a"),
      experimentOf("b", { priority: -1 }),
      experimentOf("c", { priority: 5 }),
      experimentOf("d", { priority: 5, owner: "other" }),
    );
    assert.deepEqual(queue.startAll(), ["c-distill", "d-distill", "a-distill", "b-distill"]);
  });

  it("is predicted as it then happens, by priority, turns and age", () => {
    const queue = new Queue(
      ...["a1", "a2", "a3"].map((id) => experimentOf(id, { owner: "ann" })),
      ...["b1", "b2"].map((id) => experimentOf(id, { owner: "bob" })),
      experimentOf("c1", { owner: "cem", priority: -1 }),
      experimentOf("d1", { owner: "ann", priority: 2 }),
    );
    queue.startNext();
    const told = [...queue.ready.startOrder()].map(({ experimentId }) => experimentId);
    const started = queue.startAll().map((id) => id.slice(0, id.indexOf("-")));
    assert.deepEqual(told, started);
    assert.equal(told[0], "b1", "ann's first one runs");
    assert.equal(told.at(-1), "c1");
  });

  it("is fair between owners: fewest running tasks first, then the least recent turn", () => {
    const ids = ["a1", "a2", "a3", "a4"];
    const queue = new Queue(
      ...ids.map((id) => experimentOf(id, { owner: "ann" })),
      ...["b1", "b2"].map((id) => experimentOf(id, { owner: "bob" })),
      experimentOf("c1", { owner: "cem" }),
    );
    const turns = queue.startAll();
    assert.deepEqual(turns.slice(0, 3).sort(), ["a1-distill", "b1-distill", "c1-distill"]);
    assert.deepEqual(turns.slice(3, 5).sort(), ["a2-distill", "b2-distill"]);
    assert.deepEqual(turns.slice(5), ["a3-distill", "a4-distill"]);

    // With one worker, an owner with little to do waits for at most one task of another.
    const alone = new Queue(
      ...ids.map((id) => experimentOf(id, { owner: "ann" })),
      experimentOf("b1", { owner: "bob" }),
    );
    const order: (string | undefined)[] = [];
    for (let count = 0; count < 4; count++) {
      const next = alone.startNext() ?? "";
      order.push(next);
      alone.succeed(next);
      alone.start(next.replace("distill", "evaluate"));
      alone.succeed(next.replace("distill", "evaluate"));
    }
    assert.ok(order.indexOf("b1-distill") <= 1, `${order}`);
  });

  it("gives a task only to the kind of device that its spec names", () => {
    const queue = new Queue(experimentOf("a", { device: "cuda:1" }), experimentOf("b"));
    assert.equal(queue.ready.nextTask("cuda")?.device, "cuda:1");
    assert.deepEqual(queue.startAll("cpu"), ["b-distill"]);
    assert.deepEqual(Object.fromEntries(queue.ready.numReadyByKind()), { cuda: 1, cpu: 0 });
    assert.deepEqual(queue.startAll("cuda"), ["a-distill"]);
    assert.equal(queue.ready.nextTask("tpu"), undefined);
  });
});

describe("memory in the order of dispatch", () => {
  const room = (freeMib: number, capacityMib: number) => () => ({
    freeBytes: freeMib * 2 ** 20,
    capacityBytes: capacityMib * 2 ** 20,
  });

  it("lets smaller tasks go before one that finds no room, for a minute", () => {
    const queue = new Queue(
      experimentOf("big", { memoryMib: 9_000, priority: 5 }),
      experimentOf("a", { memoryMib: 4_000 }),
      experimentOf("b", { memoryMib: 500 }),
    );
    assert.equal(queue.ready.nextTask("cpu", room(8_000, 10_000))?.taskId, "a-distill");
    assert.equal(queue.ready.nextTask("cpu", room(3_999, 10_000))?.taskId, "b-distill");
    assert.equal(queue.ready.nextTask("cpu", room(499, 10_000)), undefined);
    assert.equal(queue.ready.nextTask("cpu", room(9_000, 10_000))?.taskId, "big-distill");
    queue.nowMs = 59_999;
    assert.equal(queue.ready.nextTask("cpu", room(8_000, 10_000))?.taskId, "a-distill");
    queue.nowMs = 60_000;
    assert.equal(queue.ready.nextTask("cpu", room(8_000, 10_000)), undefined);
    // A device that could never hold the big task does not wait for it.
    assert.equal(queue.ready.nextTask("cpu", room(8_000, 8_000))?.taskId, "a-distill");
    queue.start("big-distill");
    assert.equal(queue.ready.nextTask("cpu", room(8_000, 10_000))?.taskId, "a-distill");
  });

  it("respects the reported memory of a device to the byte, also within a lane", () => {
    const queue = new Queue(
      experimentOf("a", { memoryMib: 1_000 }),
      experimentOf("b", { memoryMib: 1_001 }),
      experimentOf("c"),
    );
    assert.equal(queue.ready.nextTask("cpu", room(0, 10))?.taskId, "c-distill");
    assert.equal(queue.ready.nextTask("cpu", room(1_000, 10_000))?.taskId, "a-distill");
    assert.deepEqual(
      queue.ready.oversizedTasks("cpu", () => 999 * 2 ** 20).map(({ taskId }) => taskId),
      ["a-distill"],
    );
    assert.deepEqual(
      queue.ready.oversizedTasks("cpu", () => 2_000 * 2 ** 20),
      [],
    );
    assert.deepEqual(queue.startAll(), ["a-distill", "b-distill", "c-distill"]);
  });

  it("asks once for each size of each owner, and not for each task", () => {
    const queue = new Queue();
    for (let at = 0; at < 600; at++) {
      const memoryMib = 1_000 + Math.round((at * 63_000) / 600);
      queue.set(experimentOf(`e${at}`, { memoryMib, owner: `o${at % 5}` }));
    }
    const full = room(999, 100_000);
    let numAsked = 0;
    queue.ready.nextTask("cpu", () => {
      numAsked++;
      return full();
    });
    // Sizes from 1,000 to 64,000 MiB, four to each power of two.
    assert.ok(numAsked <= 24 * 5, `it asked ${numAsked} times`);
  });
});

describe("what is ready", () => {
  it("is one of several tasks with the same cache key, and another one if that did not succeed", () => {
    const other = resolvedSpec((draft) => Object.assign(draft.outer ?? {}, { lr: 0.123 }));
    const queue = new Queue(plannedRecord("ex1"), plannedRecord("ex2", other));
    const started = queue.startAll();
    assert.deepEqual(started, [
      "ex1-distill",
      "ex1-full",
      "ex1-random",
      "ex1-untrained",
      "ex2-distill",
    ]);
    // When the first is stopped for good, the second computes it itself.
    queue.change("ex1-full", (record) => cancelExperiment(record, NOW));
    queue.change("ex1-full", (record) => stopTask(record, "ex1-full", NOW));
    assert.deepEqual(queue.startAll(), ["ex2-full"]);
  });

  it("includes only the first unfinished experiments of a sweep, up to its limit", () => {
    const queue = new Queue();
    queue.sweepLimit = 2;
    for (const id of ["a", "b", "c", "d"]) queue.set(experimentOf(id, { sweepId: "s" }));
    queue.set(experimentOf("e"));
    assert.deepEqual(queue.startAll(), ["a-distill", "b-distill", "e-distill"]);
    queue.succeed("a-distill");
    assert.deepEqual(
      queue.startAll(),
      ["a-evaluate"],
      "an experiment counts until its evaluation is done",
    );
    queue.succeed("a-evaluate");
    assert.deepEqual(queue.startAll(), ["c-distill"]);
    queue.change("d-distill", (record) => cancelExperiment(record, NOW));
    queue.change("b-distill", (record) => cancelExperiment(record, NOW));
    assert.deepEqual(queue.startAll(), [], "an experiment that is cancelled but still runs counts");
    queue.change("b-distill", (record) => stopTask(record, "b-distill", NOW));
    queue.change("d-distill", (record) => resumeExperiment(record, NOW));
    queue.change("b-distill", (record) => resumeExperiment(record, NOW));
    assert.deepEqual(queue.startAll(), ["d-distill"]);
    queue.sweepLimit = 0;
    queue.ready.applySweepLimit("s");
    assert.deepEqual(queue.startAll(), ["b-distill"]);
    queue.sweepLimit = 1;
    queue.ready.applySweepLimit("s");
    for (const id of ["c", "d", "b"]) queue.succeed(`${id}-distill`);
    assert.deepEqual(queue.startAll(), ["c-evaluate"]);
  });

  it("excludes a cancelled experiment, and includes it again when it is resumed", () => {
    const queue = new Queue(experimentOf("a"), experimentOf("b"));
    queue.change("a-distill", (record) => cancelExperiment(record, NOW));
    assert.deepEqual(queue.ready.readyTasks().map(({ taskId }) => taskId), ["b-distill"]); // biome-ignore format: one line
    queue.change("a-distill", (record) => resumeExperiment(record, NOW));
    assert.deepEqual(queue.startAll(), ["b-distill", "a-distill"]);
  });

  it("includes a task again some time after its worker was lost, later each time", () => {
    const queue = new Queue(experimentOf("a"));
    for (const waitMs of [1_000, 2_000]) {
      assert.equal(queue.startNext(), "a-distill");
      queue.lose("a-distill");
      assert.equal(queue.ready.nextTask("cpu"), undefined);
      queue.nowMs += waitMs - 1;
      assert.equal(queue.ready.nextTask("cpu"), undefined);
      queue.nowMs += 1;
    }
    assert.equal(queue.startNext(), "a-distill");
    queue.lose("a-distill");
    const record = queue.records.get("a");
    assert.equal(record && findTask(record, "a-distill")?.task.state, "STATE_FAILED");
    assert.deepEqual(queue.ready.readyTasks(), []);
  });

  it("stays correct through any order of changes", () => {
    const ids = Array.from({ length: 30 }, (_, index) => `e${index}`);
    const queue = new Queue(...ids.map((id, at) => experimentOf(id, { owner: `o${at % 4}` })));
    let seed = 1;
    const draw = (count: number) => {
      seed = (seed * 48_271) % 2_147_483_647;
      return seed % count;
    };
    for (let step = 0; step < 2_000; step++) {
      queue.nowMs += 500;
      const id = ids[draw(ids.length)] as string;
      const record = queue.records.get(id) as ExperimentRecord;
      const running = record.tasks.find(({ task }) => task.state === "STATE_RUNNING")?.task.id;
      const choice = draw(6);
      if (choice <= 1) queue.startNext();
      else if (running && choice === 2) queue.succeed(running);
      else if (running && choice === 3) queue.lose(running);
      else if (choice === 4) queue.set(cancelExperiment(record, NOW));
      else if (record.experiment.endTime && record.experiment.state !== "STATE_SUCCEEDED") {
        queue.set(resumeExperiment(record, NOW));
      }
      const isReady = new Set(queue.ready.readyTasks().map(({ taskId }) => taskId));
      assert.equal(isReady.size, queue.ready.numReadyByKind().get("cpu"));
      for (const { tasks, cancelRequested } of queue.records.values()) {
        for (const { task } of tasks) {
          if (!isReady.has(task.id)) continue;
          assert.equal(task.state, "STATE_QUEUED", task.id);
          assert.equal(cancelRequested, false);
        }
      }
    }
    queue.nowMs += 100_000;
    const started = new Set(queue.startAll());
    for (const { tasks, cancelRequested } of queue.records.values()) {
      const [distill] = tasks;
      if (distill?.task.state !== "STATE_QUEUED" || cancelRequested) continue;
      assert.ok(started.has(distill.task.id), `${distill.task.id} was forgotten`);
    }
  });
});
