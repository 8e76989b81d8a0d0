import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import type { ExperimentRecord } from "../../src/experiment/domain/record.js";
import {
  cancelExperiment,
  completeTask,
  leaseTask,
  loseTask,
  resumeExperiment,
  stopTask,
} from "../../src/experiment/domain/transitions.js";
import { EventFeed } from "../../src/experiment/scheduling/event-feed.js";
import { Ledger } from "../../src/experiment/scheduling/ledger.js";
import { byPlace, type Entry } from "../../src/experiment/scheduling/ready-task.js";
import { ReadyTasks } from "../../src/experiment/scheduling/ready-tasks.js";
import { State } from "../../src/generated/stillhouse/v1/experiment.js";
import { Sweep } from "../../src/generated/stillhouse/v1/service.js";
import { LocalStore } from "../../src/store/local-store.js";
import { DISTILLED, LEARNERS, NOW, plannedRecord, resolvedSpec } from "../fixtures/experiments.js";
import { temporaryFolder } from "../fixtures/temporary-folder.js";

const SWEEP = "s";
const OWNERS = ["ann", "bob", ""];
const NUM_STEPS = 400;

/** The experiments of a home, with as many in memory as is said. */
class Plane {
  readonly #home: string;
  readonly #mostIdleTasks: number;
  #store: LocalStore;
  sweepLimit = 1;
  nowMs = 0;
  ready: ReadyTasks;
  ledger: Ledger;

  constructor(test: TestContext, mostIdleTasks: number) {
    this.#home = temporaryFolder(test);
    this.#mostIdleTasks = mostIdleTasks;
    this.#store = LocalStore.open(this.#home);
    this.#store.sweeps.createSweep(Sweep.fromPartial({ id: SWEEP }), "");
    this.ready = this.#emptyQueue();
    this.ledger = this.#ledgerWith(this.ready);
    test.after(() => this.#store.close());
  }

  /** As a new process does after the end of this one. */
  async restart(): Promise<void> {
    this.#store.close();
    this.#store = LocalStore.open(this.#home);
    this.ready = this.#emptyQueue();
    this.ledger = this.#ledgerWith(this.ready);
    await this.ledger.load(
      () => true,
      () => false,
    );
  }

  /** What the queue would be had it been told of each unfinished experiment as a whole. */
  asIfRead(): ReadyTasks {
    const queue = this.#emptyQueue();
    for (const { id } of this.#store.experiments.queue.waiting()) {
      const record = this.#store.experiments.find(id);
      if (record) queue.update(record);
    }
    return queue;
  }

  change(id: string, transition: (record: ExperimentRecord, now: Date) => ExperimentRecord): void {
    this.ledger.update(id, transition);
    while (this.ledger.shareResults());
  }

  #emptyQueue(): ReadyTasks {
    return new ReadyTasks(
      () => this.nowMs,
      1_000,
      () => this.sweepLimit,
    );
  }

  #ledgerWith(ready: ReadyTasks): Ledger {
    const { experiments } = this.#store;
    const clock = { now: () => NOW, monotonicMs: () => this.nowMs };
    const artifacts = { exists: () => true };
    const mostIdleTasks = this.#mostIdleTasks;
    return new Ledger(experiments, artifacts, new EventFeed(), clock, ready, { mostIdleTasks });
  }
}

function ordersOf(ready: ReadyTasks) {
  const room = (freeBytes: number) => () => ({ freeBytes, capacityBytes: 2 ** 40 });
  return {
    next: ready.nextTask("cpu")?.taskId,
    nextSmall: ready.nextTask("cpu", room(3_000 * 2 ** 20))?.taskId,
    order: [...ready.startOrder()].map(({ experimentId }) => experimentId),
    demands: ready.demands("cpu").sort((a, b) => a.memoryBytes - b.memoryBytes),
  };
}

/** All ready tasks by their places, whose numbers count experiments that have ended since. */
function contentOf(ready: ReadyTasks) {
  const entries = ready.readyTasks() as Entry[];
  return entries.sort(byPlace).map((entry) => ({ ...entry, place: entry.place[1] }));
}

function statusOf({ ledger, ready }: Plane) {
  const records = ledger.waitingRecords("", 1_000).map(({ experiment }) => experiment.id);
  const ofAnn = ledger.waitingRecords("ann", 3).map(({ experiment }) => experiment.id);
  return { ...ordersOf(ready), records, ofAnn, owners: ledger.ownersOfUnfinished().sort() };
}

/** Draws of a linear congruential generator (Park and Miller, 1988). */
function drawsFrom(seed: number): (count: number) => number {
  let state = seed;
  return (count) => {
    state = (state * 48_271) % 2_147_483_647;
    return state % count;
  };
}

function randomExperiment(id: string, draw: (count: number) => number): ExperimentRecord {
  const spec = resolvedSpec();
  // Of each seed there are several, whose tasks share their results.
  spec.seed = 1 + draw(12);
  spec.compute = { ...spec.compute, memoryMib: [0, 1_000, 5_000][draw(3)] } as typeof spec.compute;
  const record = plannedRecord(id, spec);
  const owner = OWNERS[draw(3)] ?? "";
  const sweepId = draw(4) === 0 ? SWEEP : "";
  const experiment = { ...record.experiment, owner, priority: draw(2), sweepId };
  return { ...record, experiment };
}

describe("the order of dispatch", () => {
  it("is the same however few experiments are in memory, after any operations", async (test) => {
    const draw = drawsFrom(11);
    const planes = [new Plane(test, Number.POSITIVE_INFINITY), new Plane(test, 0)];
    const [whole, small] = planes as [Plane, Plane];
    const ids: string[] = [];
    let numStarts = 0;
    for (let step = 0; step < NUM_STEPS; step++) {
      const choice = draw(20);
      const id = ids[draw(ids.length || 1)] ?? "";
      const record = id === "" ? undefined : whole.ledger.record(id);
      const running = record?.tasks.find(({ task }) => task.state === State.RUNNING)?.task.id;
      for (const plane of planes) plane.nowMs += 700;
      if (choice < 4) {
        const added = randomExperiment(`e${step}`, draw);
        for (const plane of planes) plane.ledger.add(added, "");
        ids.push(added.experiment.id);
      } else if (choice < 10) {
        const next = whole.ready.nextTask("cpu");
        if (next) {
          numStarts++;
          for (const plane of planes) {
            plane.change(next.experimentId, (found, now) => leaseTask(found, next.taskId, now));
          }
        }
      } else if (choice === 19) {
        for (const plane of planes) await plane.restart();
        assert.deepEqual(contentOf(small.ready), contentOf(small.asIfRead()));
      } else if (choice === 18) {
        for (const plane of planes) {
          plane.sweepLimit = step % 3;
          plane.ready.applySweepLimit(SWEEP);
        }
      } else if (record) {
        const change = changeBy(choice, record, running, draw(3) > 0);
        if (change) for (const plane of planes) plane.change(id, change);
      }
      assert.deepEqual(statusOf(small), statusOf(whole), `after step ${step}`);
    }
    assert.ok(numStarts > NUM_STEPS / 8, `only ${numStarts} tasks were started`);
    const states = ({ ledger }: Plane) => ids.map((id) => ledger.record(id).experiment.state);
    assert.deepEqual(states(small), states(whole));
    assert.ok(new Set(states(small)).size >= 3, "too little happened");
  });
});

type Change = (record: ExperimentRecord, now: Date) => ExperimentRecord;

function changeBy(
  choice: number,
  { experiment, cancelRequested }: ExperimentRecord,
  running: string | undefined,
  isDone: boolean,
): Change | undefined {
  if (running !== undefined && choice < 16) {
    if (isDone) {
      const result = running.endsWith("distill") ? DISTILLED : LEARNERS;
      return (record, now) => completeTask(record, running, result, now);
    }
    return choice < 13
      ? (record, now) => loseTask(record, running, "gone", "", now)
      : (record, now) => stopTask(record, running, now);
  }
  const hasEnded = experiment.endTime !== undefined;
  if (hasEnded) return experiment.state === State.SUCCEEDED ? undefined : resumeExperiment;
  return choice === 17 && !cancelRequested ? cancelExperiment : undefined;
}
