import assert from "node:assert/strict";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import {
  type Launcher,
  type LauncherListener,
  LauncherLost,
  type LaunchOrder,
  type LaunchPhase,
  type LaunchStatus,
} from "../../src/experiment/domain/launcher-ports.js";
import { Pool } from "../../src/experiment/scheduling/pool.js";
import { Roster } from "../../src/experiment/scheduling/roster.js";
import { Hello } from "../../src/generated/stillhouse/v1/worker.js";
import { SqliteLaunchStore } from "../../src/store/launch-store.js";
import { openDatabase } from "../../src/store/schema.js";
import { afterwards, temporaryFolder } from "../fixtures/temporary-folder.js";

const CPU = { device: "cpu", numDevices: 1, memoryBytes: 0 };
const PLANE = /^slurm-[0-9a-f]{8}-\d+$/;

/** An engine in memory, which does what the test says. */
class Engine implements Launcher {
  readonly jobs = new Map<string, LaunchPhase>();
  readonly killed: string[] = [];
  readonly stopped: string[] = [];
  fault: Error | undefined;
  listener: LauncherListener | undefined;

  open(listener: LauncherListener): void {
    this.listener = listener;
  }

  async launch({ launchId }: LaunchOrder): Promise<void> {
    if (this.fault) throw this.fault;
    this.jobs.set(launchId, "pending");
  }

  async list(): Promise<LaunchStatus[]> {
    if (this.fault) throw this.fault;
    return [...this.jobs].map(([launchId, phase]) => statusOf(launchId, phase));
  }

  async stop(launchId: string): Promise<void> {
    this.stopped.push(launchId);
    this.end(launchId);
  }

  async kill(launchId: string): Promise<void> {
    this.killed.push(launchId);
  }

  async close(): Promise<void> {}

  end(launchId: string, reason = "done"): void {
    this.jobs.delete(launchId);
    this.listener?.changed({ ...statusOf(launchId, "ended"), reason });
  }
}

function statusOf(launchId: string, phase: LaunchPhase): LaunchStatus {
  const reason = phase === "pending" ? "Resources" : "";
  return { launchId, phase, reason, node: "", logTail: "" };
}

class Trial {
  nowMs = 0;
  readonly engine = new Engine();
  readonly roster = new Roster(() => this.nowMs);
  readonly launches: SqliteLaunchStore;
  readonly ended: [string, string, boolean][] = [];
  readonly dismissed: string[] = [];
  readonly warnings: string[] = [];
  readonly pool: Pool;
  #numIds = 0;

  constructor(t: TestContext, most = 4, mostPending = 4) {
    const folder = temporaryFolder(t);
    const file = openDatabase(join(folder, "stillhouse.db"));
    afterwards(t, () => file.close());
    this.launches = new SqliteLaunchStore(file, join(folder, "plane"));
    this.pool = this.#poolOf(most, mostPending);
    this.pool.open();
  }

  #poolOf(most: number, mostPending: number): Pool {
    const quiet = () => undefined;
    const settings = { name: "slurm", launcher: this.engine, outlivesPlane: true };
    return new Pool(
      { ...settings, most, mostPending, idleTimeoutMs: 60_000 },
      {
        roster: this.roster,
        launches: this.launches,
        clock: { now: () => new Date(), monotonicMs: () => this.nowMs },
        ids: {
          experiment: () => "",
          worker: () => "",
          isOfWorker: () => false,
          launch: (pool, planeId) => `${pool}-${planeId}-${this.#numIds++}`,
          isOfLaunch: () => true,
        },
        log: { debug: quiet, info: quiet, error: quiet, warn: (line) => this.warnings.push(line) },
      },
      {
        ended: (workerId, { reason }, isKnownCause) => {
          this.ended.push([workerId, reason, isKnownCause]);
          this.launches.remove(workerId);
          this.roster.remove(workerId);
        },
        dismiss: (workerId) => this.dismissed.push(workerId),
      },
    );
  }

  ask(count: number): number {
    return this.pool.ask([{ ...CPU, count }]).reduce((sum, demand) => sum + demand.count, 0);
  }

  join(workerId: string): void {
    this.roster.register(Hello.fromPartial({ workerId, device: "cpu" }));
  }

  get ids(): string[] {
    return this.roster.launchedBy("slurm").map(({ workerId }) => workerId);
  }
}

/** Lets all promises that can settle do so. */
function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

describe("a pool of workers", () => {
  it("asks for what is ready and does not come already, never for more than it may", async (t) => {
    const trial = new Trial(t, 3, 2);
    assert.equal(trial.ask(5), 3);
    await settled();
    assert.equal(trial.engine.jobs.size, 2, "more may not wait at a time");
    assert.ok(trial.ids.every((id) => PLANE.test(id)));
    for (const id of trial.ids) trial.join(id);
    for (const id of trial.ids) trial.roster.markBusy(id);
    assert.equal(trial.ask(5), 4);
    await settled();
    assert.equal(trial.engine.jobs.size, 3, "no more than its most");
    assert.equal(trial.ask(1), 0, "one comes already");
  });

  it("stores an order before the engine hears of it, and until it has ended", async (t) => {
    const trial = new Trial(t);
    const launch = trial.engine.launch.bind(trial.engine);
    const stored: string[][] = [];
    trial.engine.launch = (order) => {
      stored.push(trial.launches.all().map(({ launchId }) => launchId));
      return launch(order);
    };
    trial.ask(1);
    const [id = ""] = trial.ids;
    assert.deepEqual(stored, [[id]]);
    trial.engine.end(id);
    assert.deepEqual(trial.launches.all(), []);
  });

  it("waits longer after each refusal, up to five minutes, and fails nothing", async (t) => {
    const trial = new Trial(t);
    trial.engine.fault = new Error("the queue is closed");
    const pauses: number[] = [];
    for (let times = 0; times < 8; times++) {
      trial.ask(2);
      await settled();
      assert.equal(trial.pool.fault?.reason, "the queue is closed");
      assert.equal(trial.roster.size(), 0, "nothing is left of a refused order");
      const untilMs = trial.pool.fault?.untilMs ?? 0;
      pauses.push((untilMs - trial.nowMs) / 1000);
      trial.ask(2);
      assert.equal(trial.roster.size(), 0, "nothing is asked for meanwhile");
      trial.nowMs = untilMs;
    }
    assert.deepEqual(pauses, [5, 10, 20, 40, 80, 160, 300, 300]);
    assert.ok(trial.ended.every(([, , isKnownCause]) => isKnownCause));
    trial.engine.fault = undefined;
    trial.ask(1);
    trial.join(trial.ids[0] ?? "");
    trial.pool.noteJoined();
    assert.equal(trial.pool.fault, undefined);
  });

  it("keeps an order whose answer was lost until the engine says what became of it", async (t) => {
    const trial = new Trial(t);
    const { engine } = trial;
    engine.fault = new LauncherLost("the launcher died");
    trial.ask(2);
    await settled();
    const [first = "", second = ""] = trial.ids;
    assert.equal(trial.ids.length, 2, "they count, since they may have been started");
    engine.fault = undefined;
    engine.jobs.set(first, "running");
    engine.listener?.reconnected();
    await settled();
    assert.deepEqual(trial.ids, [first]);
    assert.equal(trial.roster.find(first)?.state, "starting");
    assert.deepEqual(
      trial.ended.map(([id]) => id),
      [second],
    );
  });

  it("ends what the engine has and nobody knows", async (t) => {
    const trial = new Trial(t);
    trial.engine.jobs.set("slurm-0-stray", "running");
    await trial.pool.reconcile();
    assert.deepEqual(trial.engine.killed, ["slurm-0-stray"]);
  });

  it("takes over what an earlier process asked for, without counting its ends as failures", async (t) => {
    const trial = new Trial(t);
    const { engine, pool } = trial;
    pool.inherit({ launchId: "a", ...CPU });
    pool.inherit({ launchId: "b", ...CPU });
    engine.jobs.set("a", "running");
    await pool.reconcile();
    assert.deepEqual(trial.ids, ["a"]);
    assert.deepEqual(trial.ended, [["b", "slurm has it no more", true]]);
    assert.deepEqual(engine.killed, []);
  });

  it("keeps all of its workers while the engine does not answer", async (t) => {
    const trial = new Trial(t);
    trial.ask(2);
    await settled();
    trial.engine.fault = new Error("Unable to contact slurm controller");
    await trial.pool.reconcile();
    await trial.pool.reconcile();
    assert.equal(trial.ids.length, 2);
    assert.equal(trial.warnings.length, 1, "and says so once");
  });

  it("lets a waiting one wait, says why, and gives it its time to start once it runs", (t) => {
    const trial = new Trial(t);
    trial.ask(1);
    const [id = ""] = trial.ids;
    trial.engine.listener?.changed(statusOf(id, "pending"));
    trial.nowMs = 36_000_000;
    assert.deepEqual(trial.roster.startingWorkers(180_000), []);
    assert.equal(trial.roster.find(id)?.launch?.reason, "Resources");
    trial.engine.listener?.changed({ ...statusOf(id, "running"), node: "n1" });
    assert.equal(trial.roster.find(id)?.launch?.node, "n1");
    trial.nowMs += 180_000;
    assert.deepEqual(trial.roster.startingWorkers(180_000), []);
    trial.nowMs += 1;
    assert.deepEqual(trial.roster.startingWorkers(180_000), [id]);
  });

  it("dismisses those that were idle for its time, and no busy or starting one", (t) => {
    const trial = new Trial(t);
    trial.ask(3);
    const [idle = "", busy = ""] = trial.ids;
    trial.join(idle);
    trial.join(busy);
    trial.roster.markBusy(busy);
    trial.nowMs = 59_999;
    trial.roster.markHeard(idle);
    trial.pool.dismissIdle();
    assert.deepEqual(trial.dismissed, []);
    trial.nowMs = 60_000;
    trial.pool.dismissIdle();
    assert.deepEqual(trial.dismissed, [idle]);
    trial.roster.markFree(busy);
    trial.pool.dismissIdle();
    assert.deepEqual(trial.dismissed, [idle, idle], "its time begins with its last task's end");
  });

  it("makes room where idle workers can do nothing of what waits", (t) => {
    const trial = new Trial(t, 1);
    trial.ask(1);
    const [id = ""] = trial.ids;
    trial.join(id);
    trial.pool.ask([{ ...CPU, device: "cuda", count: 1 }]);
    assert.deepEqual(trial.dismissed, [id]);
  });

  it("stops all that it started, and resolves when the last has ended", async (t) => {
    const trial = new Trial(t);
    trial.ask(2);
    await settled();
    const { ids } = trial;
    await trial.pool.stop(600_000);
    assert.deepEqual(trial.engine.stopped, ids);
    assert.deepEqual(trial.engine.killed, []);
    assert.equal(trial.ask(1), 1, "it launches nothing more");
  });
});

describe("the id of a home among the control planes of an engine", () => {
  it("stays the same, and another copy of the database has another", (t) => {
    const folder = temporaryFolder(t);
    const file = openDatabase(join(folder, "stillhouse.db"));
    afterwards(t, () => file.close());
    const at = (name: string) => new SqliteLaunchStore(file, join(folder, name)).planeId;
    assert.match(at("plane"), /^[0-9a-f]{8}$/);
    assert.equal(at("plane"), at("plane"));
    assert.notEqual(at("plane"), at("copy"));
  });
});
