import { FailureKind, StillhouseError } from "../errors.js";
import { LogLevel, State } from "../generated/stillhouse/v1/experiment.js";
import type { Heartbeat, Hello, TaskReport } from "../generated/stillhouse/v1/worker.js";
import { Assigner, type AssignerParts } from "./assigner.js";
import type { Lease } from "./leases.js";
import type { Observer } from "./observer.js";
import type { WorkerExit, WorkerListener } from "./ports.js";
import { findTask, mustStop } from "./record.js";
import type { ReportIntake } from "./report-intake.js";
import { placeOf } from "./roster.js";
import { Staffing, type StaffingParts } from "./staffing.js";
import { StorageGuard, type StorageGuardParts } from "./storage-guard.js";
import { loseTask, stopTask } from "./transitions.js";

/** A worker on which so many tasks failed in a row is taken to be at fault. */
const MAX_FAILED_TASKS = 5;

export interface DispatcherParts extends AssignerParts, StaffingParts, StorageGuardParts {
  readonly intake: ReportIntake;
  readonly observer: Pick<Observer, "leaseExpired">;
  /** Where workers hand in artifacts, on the host that they connected to. */
  readonly grpcPort: () => number;
}

/** Brings ready tasks and workers together and watches over what runs. */
export class Dispatcher implements WorkerListener {
  readonly #parts: DispatcherParts;
  readonly #assigner: Assigner;
  readonly #staffing: Staffing;
  readonly #guard: StorageGuard;
  #isDraining = false;
  #idleWaiters: (() => void)[] = [];

  constructor(parts: DispatcherParts) {
    this.#parts = parts;
    this.#assigner = new Assigner(parts);
    this.#staffing = new Staffing(parts);
    this.#guard = new StorageGuard({ ...parts, onFault: (error) => this.#failed(error) });
  }

  /** The reason why nothing is dispatched at present. */
  get fault(): StillhouseError | undefined {
    return this.#guard.fault;
  }

  /** Call after every change: starts what can start and stops what must. */
  dispatch(): void {
    this.#guard.run(() => {
      this.#cancelUnwanted();
      for (const workerId of this.#parts.roster.drained()) this.#staffing.dismiss(workerId);
      if (this.#isDraining) return;
      for (const kind of this.#parts.ready.counts().keys()) {
        this.#assigner.assign(kind);
        this.#staffing.launch(kind);
      }
    });
  }

  /** The worker ends its task, gets no other, and leaves. */
  drainWorker(workerId: string): void {
    this.#parts.roster.drain(workerId);
    this.dispatch();
  }

  /** Call at the interval of the timings: gives up what ran out of time. */
  tick(): void {
    this.#guard.tick();
    this.#guard.run(() => {
      const { leases, roster, memory, observer } = this.#parts;
      for (const { lease, end, reason } of leases.expired()) {
        observer.leaseExpired(end);
        this.#giveUp(lease, reason);
      }
      this.#staffing.tick();
      memory.keepOnly(roster.all().map(placeOf));
      this.#assigner.tellOfTooLarge();
    });
    this.dispatch();
  }

  /** Call after the start: waits for the workers of what still runs. */
  awaitWorkers(): void {
    for (const { experiment, tasks } of this.#parts.ledger.unfinished()) {
      for (const { task } of tasks) {
        if (task.state !== State.STATE_RUNNING) continue;
        const { id: taskId, attempt, workerId } = task;
        this.#parts.leases.await({ taskId, experimentId: experiment.id, attempt, workerId });
      }
    }
  }

  /** Stops all tasks after a checkpoint; they stay queued. Resolves when none runs any more. */
  async drain(): Promise<void> {
    this.#isDraining = true;
    this.dispatch();
    if (this.fault || this.#parts.leases.all().length === 0) return;
    await new Promise<void>((resolve) => this.#idleWaiters.push(resolve));
  }

  /** The lease under which a worker may hand in an artifact; throws CONFLICT when it is none. */
  requireLease(taskId: string, attempt: number): Lease {
    if (this.fault) throw this.fault;
    const lease = this.#parts.leases.current(taskId, attempt);
    if (lease) return lease;
    throw new StillhouseError(
      FailureKind.FAILURE_KIND_CONFLICT,
      `attempt ${attempt} of task ${taskId || '""'} is not running; what it hands in is refused`,
    );
  }

  ready(hello: Hello): void {
    const { roster, memory, pool, timings, grpcPort } = this.#parts;
    this.#guard.run(() => {
      const isNew = roster.ready(hello);
      memory.reported(hello, hello, hello.taskId === "");
      const heartbeatIntervalS = timings.heartbeatIntervalMs / 1000;
      const value = { heartbeatIntervalS, grpcPort: grpcPort() };
      pool.send(hello.workerId, { $case: "welcome", value });
      this.#reconcile(hello, isNew);
    });
    this.dispatch();
  }

  heartbeat(workerId: string, heartbeat: Heartbeat): void {
    const { taskId, attempt, progressCounter } = heartbeat;
    const { roster, leases, memory } = this.#parts;
    if (!this.#isKnown(workerId)) return;
    const worker = roster.heard(workerId, heartbeat);
    if (worker) memory.reported(placeOf(worker), heartbeat, taskId === "");
    leases.extend(workerId, taskId, attempt, progressCounter);
    if (taskId === "" && roster.settled(workerId)) this.dispatch();
  }

  /**
   * Reports are taken in order and once: a repeat is only acknowledged again, and after a gap the
   * worker sends again from the last acknowledged one.
   */
  report(workerId: string, report: TaskReport): void {
    const isKnown = this.#isKnown(workerId);
    this.#guard.run(() => {
      const lease = this.#parts.leases.current(report.taskId, report.attempt);
      if (lease?.workerId !== workerId) {
        this.#parts.intake.takeLate(report);
        this.#acknowledge(workerId, report, report.number, true);
        return;
      }
      // Before its hello it is not known which of its reports were taken in.
      if (!isKnown || report.kind === undefined) return;
      if (report.kind.$case === "progress") {
        this.#parts.intake.take(lease, report.kind);
        return;
      }
      if (report.number === lease.lastReport + 1n) {
        const outcome = this.#parts.intake.take(lease, report.kind);
        lease.lastReport = report.number;
        if (outcome === "ended") this.#release(lease);
        this.#judge(lease, report.kind);
      }
      this.#acknowledge(workerId, report, lease.lastReport, false);
      // It was not told to stop, so somebody is ending its process.
      const isLeaving = report.kind.$case === "stopped" && lease.cancelledAtMs === undefined;
      if (isLeaving) this.#staffing.remove(workerId);
    });
    if (report.kind?.$case !== "progress") this.dispatch();
  }

  gone(workerId: string, reason: string): void {
    this.#guard.runOnce(() => {
      const lease = this.#parts.leases.ofWorker(workerId);
      if (lease) this.#giveUp(lease, reason);
      // Its process is given time to end by itself.
      else this.#parts.roster.leaving(workerId);
    });
    this.dispatch();
  }

  exited(workerId: string, exit: WorkerExit): void {
    const { leases, roster } = this.#parts;
    this.#guard.runOnce(() => {
      const failedToStart = roster.isStarting(workerId);
      roster.remove(workerId);
      const lease = leases.ofWorker(workerId);
      if (lease) this.#lose(lease, exit.reason, exit.logTail);
      if (failedToStart && !this.#isDraining) this.#staffing.startFailed(workerId, exit);
    });
    this.dispatch();
  }

  /** Brings together what a worker has in hand and what it should have. */
  #reconcile(hello: Hello, isNew: boolean): void {
    const { leases, roster, pool, log } = this.#parts;
    const { workerId, taskId, attempt, acknowledged } = hello;
    const lease = leases.ofWorker(workerId);
    if (lease && lease.taskId === taskId && lease.attempt === attempt) {
      if (lease.adoption === "awaited") {
        leases.adopt(lease, acknowledged);
        this.#assigner.keepRoom(hello, lease);
        log.info(`Worker ${workerId} is back and goes on with task ${taskId}`);
      }
      roster.busy(workerId);
      // The order to stop may have been lost with the connection.
      if (lease.cancelledAtMs !== undefined) {
        pool.send(workerId, { $case: "cancel", value: { taskId, attempt } });
      }
      return;
    }
    if (lease && isNew) this.#lose(lease, "it started anew", "");
    if (taskId === "") return;
    roster.settling(workerId);
    this.#acknowledge(workerId, { taskId, attempt }, acknowledged, true);
  }

  /** Whether it has said hello to this control plane; if not, it is asked to. */
  #isKnown(workerId: string): boolean {
    if (this.#parts.roster.has(workerId)) return true;
    this.#parts.pool.send(workerId, { $case: "introduce", value: {} });
    return false;
  }

  #cancelUnwanted(): void {
    const { leases, ledger, pool, clock } = this.#parts;
    for (const lease of leases.all()) {
      if (lease.cancelledAtMs !== undefined) continue;
      if (!this.#isDraining && !mustStop(ledger.record(lease.experimentId))) continue;
      lease.cancelledAtMs = clock.monotonicMs();
      const { taskId, attempt } = lease;
      pool.send(lease.workerId, { $case: "cancel", value: { taskId, attempt } });
    }
  }

  /** Takes a task from a worker that may still be there: its process is ended. */
  #giveUp(lease: Lease, reason: string): void {
    this.#parts.log.warn(`worker ${lease.workerId} is given up: ${reason}`);
    this.#lose(lease, reason, "");
    this.#staffing.remove(lease.workerId);
  }

  /** A worker on which task after task fails gets no more; one of this machine is started anew. */
  #judge({ workerId, taskId }: Lease, kind: NonNullable<TaskReport["kind"]>): void {
    const { roster, log } = this.#parts;
    if (kind.$case === "result") roster.succeeded(workerId);
    if (kind.$case !== "failure" || !mayBeTheWorkers(kind.value.kind)) return;
    if (roster.failed(workerId, taskId) < MAX_FAILED_TASKS) return;
    log.warn(
      `worker ${workerId} is set aside: ${MAX_FAILED_TASKS} tasks in a row failed on it, the last with: ${kind.value.message}`,
    );
    if (roster.find(workerId)?.isLocal) this.#staffing.dismiss(workerId);
    else roster.setAside(workerId);
  }

  #lose(lease: Lease, reason: string, logTail: string): void {
    const { ledger } = this.#parts;
    const { taskId, experimentId } = lease;
    // A task that was told to stop did not fail when its worker ended on the way.
    const record = ledger.update(experimentId, (before, now) =>
      this.#isDraining || lease.adoption === "awaited"
        ? stopTask(before, taskId, now)
        : loseTask(before, taskId, reason, logTail, now),
    );
    this.#release(lease);
    const task = findTask(record, taskId)?.task;
    if (task?.state !== State.STATE_QUEUED || this.#isDraining) return;
    const message = `The worker was lost: ${reason}. The task goes on from its last checkpoint.`;
    const time = this.#parts.clock.now();
    ledger.log(task, { level: LogLevel.LOG_LEVEL_WARNING, message, time });
  }

  #release({ taskId, workerId }: Lease): void {
    const { leases, memory, roster } = this.#parts;
    leases.release(taskId);
    memory.release(taskId);
    roster.free(workerId);
    if (leases.all().length === 0) this.#endDrain();
  }

  #failed(error: StillhouseError): void {
    this.#endDrain();
    this.#parts.onFault(error);
  }

  #endDrain(): void {
    for (const resolve of this.#idleWaiters.splice(0)) resolve();
  }

  #acknowledge(
    workerId: string,
    report: Pick<TaskReport, "taskId" | "attempt">,
    number: bigint,
    fenced: boolean,
  ): void {
    const { taskId, attempt } = report;
    this.#parts.pool.send(workerId, {
      $case: "acknowledge",
      value: { taskId, attempt, number, fenced },
    });
  }
}

/** Whether a failure may be due to the worker, and not to what it was asked to do. */
function mayBeTheWorkers(kind: FailureKind): boolean {
  return (
    kind === FailureKind.FAILURE_KIND_EXHAUSTED ||
    kind === FailureKind.FAILURE_KIND_ENVIRONMENT ||
    kind === FailureKind.FAILURE_KIND_INTERNAL
  );
}
