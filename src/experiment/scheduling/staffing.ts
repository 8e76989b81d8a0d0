import { environment, toFailure } from "../../errors.js";
import type { Clock, Ids, Log } from "../domain/ports.js";
import { alone } from "../domain/storage-fault.js";
import type { WorkerExit, WorkerPool } from "../domain/worker-ports.js";
import type { Timings } from "./leases.js";
import type { Ledger } from "./ledger.js";
import type { ReadyTasks } from "./ready-tasks.js";
import type { Roster } from "./roster.js";
import type { TaskFaults } from "./task-faults.js";

export interface StaffingParts {
  readonly ledger: Ledger;
  readonly roster: Roster;
  readonly ready: ReadyTasks;
  readonly pool: WorkerPool;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly timings: Timings;
  readonly log: Log;
  /** Most worker processes of this machine at a time. */
  readonly numWorkers: number;
  readonly faults: TaskFaults;
}

/** Wait after a worker could not even be launched, as where too many files are open. */
const LAUNCH_AGAIN_MS = 5_000;

/** Starts and ends worker processes of this machine. */
export class Staffing {
  readonly #parts: StaffingParts;
  /** No worker is launched before, on the monotonic clock. */
  #launchAfterMs = 0;

  constructor(parts: StaffingParts) {
    this.#parts = parts;
  }

  /** Starts workers for what waits for this kind of device, as far as they may be. */
  launch(kind: string): void {
    const { roster, ids, ready, numWorkers, clock } = this.#parts;
    if (clock.monotonicMs() < this.#launchAfterMs) return;
    const device = ready.nextTask(kind)?.device;
    // Where one of this machine is idle, its device has no room for what waits.
    const numIdle = roster.idleWorkers(kind).filter(({ isLocal }) => isLocal).length;
    const numReady = ready.numReadyByKind().get(kind) ?? 0;
    const numWanted = numReady - roster.numStarting(kind) - numIdle;
    if (device === undefined || numWanted <= 0 || numWorkers === 0) return;
    const room = numWorkers - roster.numLocal();
    for (let count = 0; count < Math.min(numWanted, room); count++) {
      this.#launch(ids.worker(), device);
    }
    if (room <= 0) this.#makeRoom(kind);
  }

  #launch(workerId: string, device: string): void {
    const { roster, pool, clock, log } = this.#parts;
    roster.addLaunched(workerId, device);
    alone(
      () => pool.launch(workerId, device),
      (thrown) => {
        roster.remove(workerId);
        this.#launchAfterMs = clock.monotonicMs() + LAUNCH_AGAIN_MS;
        log.warn(`no worker can be launched at present: ${toFailure(thrown).message}`);
      },
    );
  }

  /** It has no task; a process of this machine that does not go is ended after the stop grace. */
  dismiss(workerId: string): void {
    this.#parts.pool.send(workerId, { $case: "shutdown", value: { reason: "" } });
    this.#parts.roster.markLeaving(workerId);
  }

  /** Ends its process at once. */
  remove(workerId: string): void {
    this.#parts.roster.markLeaving(workerId);
    this.#parts.pool.kill(workerId);
  }

  /** Handles workers that do not start, do not leave, or are silent without a task. */
  tick(): void {
    const { roster, pool, timings } = this.#parts;
    for (const workerId of roster.startingWorkers(timings.startUpMs)) pool.kill(workerId);
    for (const workerId of roster.leavingWorkers(timings.stopGraceMs)) pool.kill(workerId);
    for (const workerId of roster.silentIdleWorkers(timings.leaseMs)) this.remove(workerId);
  }

  /** While others work, the next try waits; with none, what waits for a worker would for ever. */
  noteFailedStart(workerId: string, exit: WorkerExit): void {
    const { roster, timings, clock, log } = this.#parts;
    log.warn(`worker ${workerId} could not be started: ${exit.reason}\n${exit.logTail}`);
    if (roster.size() === 0) this.#failReady(exit);
    else this.#launchAfterMs = clock.monotonicMs() + timings.startUpMs;
  }

  /** Ends an idle worker of another kind of device to make room for one that is needed. */
  #makeRoom(kind: string): void {
    const workerId = this.#parts.roster.idleWorkerOfOtherKind(kind);
    if (workerId !== undefined) this.dismiss(workerId);
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
