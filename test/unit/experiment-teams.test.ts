import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { leaseTask } from "../../src/experiment/domain/transitions.js";
import {
  DeviceMemory,
  type Room,
  UNBOUNDED,
} from "../../src/experiment/scheduling/device-memory.js";
import type { ReadyTask } from "../../src/experiment/scheduling/ready-task.js";
import { ReadyTasks } from "../../src/experiment/scheduling/ready-tasks.js";
import { Roster } from "../../src/experiment/scheduling/roster.js";
import { Seating } from "../../src/experiment/scheduling/seating.js";
import { seatId, seatNamed } from "../../src/experiment/scheduling/team-seat.js";
import { inTeams } from "../../src/experiment/scheduling/wanted-launches.js";
import { Hello } from "../../src/generated/stillhouse/v1/worker.js";
import { NOW, plannedRecord, quickSpec } from "../fixtures/experiments.js";

const PATIENCE_MS = 60_000;

/** Workers, what waits for them, and the choice that a worker is given. */
class Fleet {
  nowMs = 0;
  readonly roster = new Roster(() => this.nowMs);
  readonly memory = new DeviceMemory();
  readonly ready = new ReadyTasks(
    () => this.nowMs,
    1_000,
    () => 0,
  );

  worker(workerId: string, given: Partial<Hello> = {}): void {
    const own = { workerId, device: "cpu", machineId: workerId, address: "10.0.0.1" };
    this.roster.register(Hello.fromPartial({ ...own, ...given }));
  }

  /** A distillation; an experiment of its own. */
  task(id: string, numDevices: number, priority = 0, device = "cpu"): void {
    const spec = quickSpec();
    spec.compute = { ...spec.compute, numDevices, device, memoryMib: 0 } as typeof spec.compute;
    const record = plannedRecord(id, spec);
    this.ready.update({ ...record, experiment: { ...record.experiment, priority } });
  }

  /** The workers of the task that this worker would be given now. */
  next(workerId: string, kind = "cpu"): [task: string, ...workers: string[]] | undefined {
    const worker = this.roster.find(workerId);
    assert.ok(worker);
    const seating = new Seating(kind, this);
    const roomFor = (task: ReadyTask): Room =>
      seating.isForTeam(task) ? seating.roomFor(task, worker) : UNBOUNDED;
    const task = this.ready.nextTask(kind, roomFor);
    if (task === undefined) return undefined;
    const workers = seating.isForTeam(task) ? seating.workersFor(task) : [worker];
    return [task.experimentId, ...workers.map((each) => each.workerId)];
  }

  start(id: string, ...workerIds: string[]): void {
    for (const workerId of workerIds) this.roster.markBusy(workerId);
    const spec = quickSpec();
    this.ready.update(leaseTask(plannedRecord(id, spec), `${id}-distill`, NOW));
  }
}

function fleetOf(...workerIds: string[]): Fleet {
  const fleet = new Fleet();
  for (const workerId of workerIds) fleet.worker(workerId);
  return fleet;
}

describe("a task for a team", () => {
  it("is given to as many hosts at once, and to none where one is missing", () => {
    const fleet = fleetOf("a", "b", "c");
    fleet.task("team", 3);
    fleet.roster.markBusy("c");
    assert.equal(fleet.next("a"), undefined);
    fleet.roster.markFree("c");
    assert.deepEqual(fleet.next("b"), ["team", "a", "b", "c"]);
  });

  it("is for one worker where there are fewer hosts, however many workers they have", () => {
    const fleet = fleetOf("a");
    fleet.worker("a2", { machineId: "a" });
    fleet.task("t", 2);
    assert.deepEqual(fleet.next("a2"), ["t", "a2"]);
    fleet.worker("earlier version", { address: "" });
    assert.deepEqual(fleet.next("a2"), ["t", "a2"]);
    fleet.worker("b");
    assert.deepEqual(fleet.next("a2"), ["t", "a", "b"]);
    fleet.roster.drain("b");
    assert.deepEqual(fleet.next("a2"), ["t", "a2"]);
  });

  it("lets later tasks go first, until it has waited long; then its hosts are kept for it", () => {
    const fleet = fleetOf("a", "b", "c");
    for (const workerId of ["b", "c"]) fleet.roster.markBusy(workerId);
    fleet.task("team", 2);
    fleet.task("later", 1);
    assert.deepEqual(fleet.next("a"), ["later", "a"]);
    fleet.nowMs = PATIENCE_MS;
    assert.equal(fleet.next("a"), undefined);
    fleet.roster.markFree("c");
    assert.deepEqual(fleet.next("a"), ["team", "a", "c"]);
  });

  it("holds nothing while it waits: of two teams the first in the order is had whole", () => {
    const fleet = fleetOf("a", "b", "c", "d");
    for (const workerId of ["c", "d"]) fleet.roster.markBusy(workerId);
    fleet.task("one", 3);
    fleet.task("two", 3);
    for (const fromMs of [0, PATIENCE_MS, 2 * PATIENCE_MS]) {
      fleet.nowMs = fromMs;
      for (const workerId of ["a", "b"]) assert.equal(fleet.next(workerId), undefined);
    }
    fleet.roster.markFree("d");
    for (const workerId of ["a", "b", "d"]) {
      assert.deepEqual(fleet.next(workerId), ["one", "a", "b", "d"]);
    }
    fleet.start("one", "a", "b", "d");
    fleet.roster.markFree("c");
    assert.equal(fleet.next("c"), undefined);
    for (const workerId of ["a", "b", "d"]) fleet.roster.markFree(workerId);
    assert.deepEqual(fleet.next("a"), ["two", "a", "b", "c"]);
  });

  it("keeps no host from a task with a higher priority, and gets none from one", () => {
    const fleet = fleetOf("a", "b");
    fleet.roster.markBusy("b");
    fleet.task("team", 2);
    fleet.nowMs = PATIENCE_MS;
    assert.equal(fleet.next("a"), undefined);
    fleet.nowMs = 2 * PATIENCE_MS;
    fleet.task("urgent", 1, 5);
    assert.deepEqual(fleet.next("a"), ["urgent", "a"]);
    fleet.roster.markFree("b");
    assert.deepEqual(fleet.next("b"), ["urgent", "b"]);
  });

  it("keeps a small team from the hosts of a large one that has waited long", () => {
    const fleet = fleetOf("a", "b", "c");
    fleet.worker("a2", { machineId: "a" });
    fleet.roster.markBusy("c");
    fleet.task("large", 3);
    fleet.task("small", 2);
    assert.deepEqual(fleet.next("a"), ["small", "a", "b"]);
    fleet.nowMs = PATIENCE_MS;
    for (const workerId of ["a", "a2", "b"]) assert.equal(fleet.next(workerId), undefined);
  });

  it("has one worker a device, and a leader that other hosts reach", () => {
    const fleet = new Fleet();
    fleet.worker("here", { address: "127.0.0.1" });
    fleet.worker("there", { address: "10.0.0.2" });
    fleet.task("team", 2);
    assert.deepEqual(fleet.next("here"), ["team", "there", "here"]);
  });

  it("on CUDA is for one worker that sees enough devices, else for several that see one each", () => {
    const fleet = new Fleet();
    const one = (id: string) => ({ device: "cuda:0", deviceIds: { "cuda:0": id } });
    fleet.task("team", 2, 0, "cuda:0");
    fleet.worker("a", { machineId: "m", ...one("GPU-1") });
    assert.equal(fleet.next("a", "cuda"), undefined);
    fleet.worker("b", { machineId: "m", ...one("GPU-2") });
    assert.deepEqual(fleet.next("a", "cuda"), ["team", "a", "b"]);
    const deviceIds = { "cuda:0": "GPU-3", "cuda:1": "GPU-4" };
    fleet.worker("both", { device: "cuda:0", deviceIds });
    assert.deepEqual(fleet.next("both", "cuda"), ["team", "both"]);
  });

  it("wants as many workers of an engine whose workers have too few devices for it alone", () => {
    const gpu = { device: "cuda", numDevices: 1, memoryBytes: 0 };
    const demand = { ...gpu, numDevices: 4, count: 2 };
    const pool = { most: 8, largest: [gpu] };
    assert.deepEqual(inTeams([demand], [pool]), [{ ...gpu, count: 8 }]);
    const large = { most: 1, largest: [{ ...gpu, numDevices: 4 }] };
    assert.deepEqual(inTeams([demand], [pool, large]), [demand]);
  });
});

describe("a seat", () => {
  it("has a name that says of which task it is", () => {
    assert.equal(seatId("ab12-distill", 0), "ab12-distill");
    assert.deepEqual(seatNamed(seatId("ab12-distill", 3)), { taskId: "ab12-distill", rank: 3 });
    assert.deepEqual(seatNamed("ab12-distill"), { taskId: "ab12-distill", rank: 0 });
  });
});
