import { environment, noSuch, toFailure } from "../../errors.js";
import type { PoolSettings } from "../domain/launcher-ports.js";
import type { WorkerExit, WorkerPool } from "../domain/worker-ports.js";
import type { Timings } from "./leases.js";
import { Pool } from "./pool.js";
import { figuresOf, type PoolFigures } from "./pool-figures.js";
import type { PoolActions, PoolParts } from "./pool-parts.js";
import type { ReadyTasks } from "./ready-tasks.js";
import type { TaskFaults } from "./task-faults.js";
import { type Demand, inTeams } from "./wanted-launches.js";
import type { Standing } from "./worker-admission.js";

export interface PoolsParts extends PoolParts {
  readonly ready: ReadyTasks;
  readonly pool: WorkerPool;
  readonly timings: Timings;
  readonly faults: TaskFaults;
  /** Those that come first are asked first. */
  readonly pools: readonly PoolSettings[];
}

/** Starts and ends workers, in all pools. */
export class Pools {
  readonly #parts: PoolsParts;
  readonly #pools: readonly Pool[];

  constructor(parts: PoolsParts, ended: PoolActions["ended"]) {
    this.#parts = parts;
    const actions = { ended, dismiss: (workerId: string) => this.dismiss(workerId) };
    this.#pools = parts.pools.map((settings) => new Pool(settings, parts, actions));
  }

  /** Takes over what an earlier process asked for, before the first worker says hello. */
  inherit(): void {
    const { launches, log } = this.#parts;
    for (const launch of launches.all()) {
      const pool = this.#pools.find(({ settings }) => settings.name === launch.pool);
      if (pool?.settings.outlivesPlane && this.#isOfPool(pool, launch.launchId)) {
        pool.inherit(launch);
      } else {
        log.warn(`${launch.launchId} was launched in pool ${launch.pool}, which is not there now`);
      }
    }
  }

  open(): void {
    for (const pool of this.#pools) pool.open();
  }

  /** Every pool, for those who show them. */
  all(): readonly Pool[] {
    return this.#pools;
  }

  /** Of every pool that may have workers. */
  figures(): PoolFigures[] {
    const { roster, ready } = this.#parts;
    const used = this.#pools.filter(({ settings }) => settings.most > 0);
    return used.map((pool) => figuresOf(pool, roster, ready));
  }

  /** Starts workers for what waits for this kind of device, as far as they may be. */
  launch(kind: string): void {
    const { ready } = this.#parts;
    const device = ready.nextTask(kind)?.device;
    if (device === undefined) return;
    const settings = this.#pools.map((pool) => pool.settings);
    let rest: readonly Demand[] = inTeams(ready.demands(kind), settings);
    for (const pool of this.#pools) {
      // The devices of this machine are shared, so that any worker of the kind will do.
      if (pool.settings.outlivesPlane) rest = pool.ask(rest);
      else rest = without(rest, total(rest) - total(pool.ask(anySize(rest, device))));
      if (rest.length === 0) return;
    }
  }

  /**
   * Asks a pool for one worker, for no task: one GPU where it may have them.
   *
   * @throws NOT_FOUND
   */
  askForOne(name: string): void {
    const pool = this.#named(name);
    if (pool === undefined) throw noSuch("pool", name);
    const { device = "cpu" } = pool.settings.largest?.at(-1) ?? {};
    pool.ask([{ device, numDevices: 1, memoryBytes: 0, count: 1 }]);
  }

  /** It has no task; one that was launched here and does not go is ended after the stop grace. */
  dismiss(workerId: string): void {
    this.#parts.pool.send(workerId, { $case: "shutdown", value: { reason: "" } });
    this.#parts.roster.markLeaving(workerId);
  }

  /** Ends what was launched at once; other workers are left alone. */
  remove(workerId: string): void {
    const pool = this.#poolOf(workerId);
    this.#parts.roster.markLeaving(workerId);
    pool?.kill(workerId);
  }

  /** Handles workers that do not start, do not leave, are idle, or are silent without a task. */
  tick(): void {
    const { roster, timings } = this.#parts;
    for (const id of roster.startingWorkers(timings.startUpMs)) this.#poolOf(id)?.kill(id);
    for (const id of roster.leavingWorkers(timings.stopGraceMs)) this.#poolOf(id)?.kill(id);
    for (const workerId of roster.silentIdleWorkers(timings.leaseMs)) this.remove(workerId);
    for (const pool of this.#pools) pool.tick();
  }

  noteJoined(workerId: string): void {
    this.#poolOf(workerId)?.noteJoined();
  }

  /** It has ended. @throws StorageFault */
  forget(workerId: string): void {
    if (this.#poolOf(workerId)?.settings.outlivesPlane) this.#parts.launches.remove(workerId);
    this.#parts.roster.remove(workerId);
  }

  /**
   * The next try waits; but with this machine alone and no worker, what waits would wait for ever.
   */
  noteFailedStart(poolName: string, workerId: string, exit: WorkerExit): void {
    const { roster, log } = this.#parts;
    log.warn(`worker ${workerId} could not be started: ${exit.reason}\n${exit.logTail}`);
    const isHopeless = this.#pools.every(({ settings }) => !settings.outlivesPlane);
    if (isHopeless && roster.size() === 0) this.#failReady(exit);
    else this.#named(poolName)?.noteFailure(exit.reason);
  }

  /** Whose a worker is that says hello, by its id. */
  standingOf(workerId: string): Standing {
    const pool = this.#pools.find((each) => this.#isOfPool(each, workerId));
    if (pool === undefined) return { kind: "other" };
    if (!this.#parts.roster.has(workerId)) return { kind: "ended" };
    return { kind: "launched", keyOwner: pool.settings.keyOwner };
  }

  async stop(graceMs: number): Promise<void> {
    await Promise.all(this.#pools.map((pool) => pool.stop(graceMs)));
  }

  killAll(): void {
    for (const pool of this.#pools) pool.killAll();
  }

  #isOfPool({ settings: { name, outlivesPlane } }: Pool, workerId: string): boolean {
    const { ids, launches } = this.#parts;
    return outlivesPlane && ids.isOfLaunch(workerId, name, launches.planeId);
  }

  #poolOf(workerId: string): Pool | undefined {
    return this.#named(this.#parts.roster.find(workerId)?.launch?.pool);
  }

  #named(name: string | undefined): Pool | undefined {
    return this.#pools.find(({ settings }) => settings.name === name);
  }

  #failReady(exit: WorkerExit): void {
    const lastLine = exit.logTail.trim().split("\n").at(-1) ?? "";
    const detail = lastLine === "" ? exit.reason : `${exit.reason}: ${lastLine}`;
    const error = environment(
      `no worker could be started, ${detail}; run the command again: it sets the environment up`,
      { traceback: exit.logTail },
    );
    const failure = toFailure(error);
    for (const { taskId, experimentId } of this.#parts.ready.readyTasks()) {
      this.#parts.faults.fail({ taskId, experimentId }, failure);
    }
  }
}

/** As many workers, whatever their tasks need. */
function anySize(demands: readonly Demand[], device: string): Demand[] {
  const count = total(demands);
  return count === 0 ? [] : [{ device, numDevices: 1, memoryBytes: 0, count }];
}

function total(demands: readonly Demand[]): number {
  return demands.reduce((sum, { count }) => sum + count, 0);
}

/** Without the first of the tasks, whichever they are. */
function without(demands: readonly Demand[], numTasks: number): Demand[] {
  let numLeft = numTasks;
  return demands.flatMap((demand) => {
    const numTaken = Math.min(numLeft, demand.count);
    numLeft -= numTaken;
    return numTaken === demand.count ? [] : [{ ...demand, count: demand.count - numTaken }];
  });
}
