import { conflict, permissionDenied } from "../../errors.js";
import {
  type Checkpoint,
  LogLevel,
  State,
  type Task,
} from "../../generated/stillhouse/v1/experiment.js";
import type { Heartbeat, Hello, TaskReport } from "../../generated/stillhouse/v1/worker.js";
import type { Observer } from "../domain/observer.js";
import { artifactIdOf, findTask, memoriesOf, poolOf } from "../domain/record.js";
import type { StorageFault } from "../domain/storage-fault.js";
import { loseTask, stopTask } from "../domain/transitions.js";
import type { Admission, WorkerExit, WorkerListener } from "../domain/worker-ports.js";
import { Assigner, type AssignerParts } from "./assigner.js";
import { acknowledge, release } from "./attempt-end.js";
import type { LeaseClaim } from "./lease-claims.js";
import type { Lease } from "./leases.js";
import { placeOf } from "./place.js";
import { Pools, type PoolsParts } from "./pools.js";
import { Reception, type ReceptionParts } from "./reception.js";
import { ReportDesk, type ReportDeskParts } from "./report-desk.js";
import { StorageGuard, type StorageGuardParts } from "./storage-guard.js";
import { TeamDesk } from "./team-desk.js";
import { isMember, seatAt, taskOf } from "./team-seat.js";

export interface DispatcherParts
  extends AssignerParts,
    ReceptionParts,
    PoolsParts,
    StorageGuardParts,
    ReportDeskParts {
  readonly observer: Pick<Observer, "leaseExpired" | "reportRefused">;
}

/** Assigns ready tasks to workers and watches over running tasks. */
export class Dispatcher implements WorkerListener {
  readonly #parts: DispatcherParts;
  readonly #assigner: Assigner;
  readonly #reception: Reception;
  /** Starts and ends workers. */
  readonly pools: Pools;
  readonly #guard: StorageGuard;
  readonly #desk: ReportDesk;
  readonly #teams: TeamDesk;
  #isDraining = false;
  #isSharing = false;
  /** Set while the rest of the assignments waits. */
  #pause: NodeJS.Timeout | undefined;
  #idleWaiters: (() => void)[] = [];

  constructor(parts: DispatcherParts) {
    this.#parts = parts;
    this.#assigner = new Assigner(parts);
    this.#reception = new Reception(parts, {
      keepRoom: (worker, lease) => this.#assigner.keepRoom(worker, lease),
      lose: (lease, reason) => this.#lose(lease, reason, ""),
    });
    this.pools = new Pools(parts, (...ended) => this.#ended(...ended));
    this.#teams = new TeamDesk(parts);
    this.#desk = new ReportDesk(parts, this.pools, this.#teams, (lease, store) =>
      this.#assigner.seat(lease, store),
    );
    this.#guard = new StorageGuard({ ...parts, onFault: (error) => this.#failed(error) });
  }

  /** The reason why nothing is dispatched at present. */
  get fault(): StorageFault | undefined {
    return this.#guard.fault;
  }

  /** What a test of the storage throws stops the dispatching, as what a change throws does. */
  testStorage(test: () => void): void {
    this.#guard.run(test);
  }

  /** Call after every change: starts what can start and stops what must stop. */
  dispatch(): void {
    this.#guard.run(() => {
      this.#shareResults();
      this.#cancelUnwanted();
      this.#endDrainIfIdle();
      for (const workerId of this.#parts.roster.drainedWorkers()) this.pools.dismiss(workerId);
      if (this.#isDraining) return;
      for (const kind of this.#parts.ready.numReadyByKind().keys()) {
        const pauseMs = this.#assigner.assign(kind);
        if (pauseMs > 0) this.#goOnAfter(pauseMs);
        else this.pools.launch(kind);
      }
    });
  }

  /** The worker finishes its task, gets no other, and leaves. */
  drainWorker(workerId: string): void {
    this.#parts.roster.drain(workerId);
    this.dispatch();
  }

  /** Gives up whatever ran out of time. Call it at the interval of the timings. */
  tick(): void {
    this.#guard.tick();
    this.#guard.run(() => {
      const { leases, roster, memory, observer } = this.#parts;
      for (const { lease, end, reason } of leases.expiredLeases()) {
        observer.leaseExpired(end);
        this.#giveUp(lease, reason);
      }
      this.pools.tick();
      memory.keepOnly(roster.workers().map(placeOf));
      this.#assigner.tellOfTooLarge();
    });
    this.dispatch();
  }

  /** Call after the start: waits for the workers of what still runs. */
  awaitWorkers(): void {
    for (const { experiment, tasks } of this.#parts.ledger.runningRecords()) {
      for (const { task } of tasks) {
        if (task.state !== State.RUNNING) continue;
        const workerIds = [task.workerId, ...task.memberIds];
        workerIds.forEach((workerId, rank) => {
          const lease = { experimentId: experiment.id, attempt: task.attempt, workerId };
          this.#parts.leases.await({ ...seatAt(task.id, rank, workerIds.length), ...lease });
        });
      }
    }
  }

  /** Stops all tasks after a checkpoint; they stay queued. Resolves when none runs any more. */
  async drain(): Promise<void> {
    this.#isDraining = true;
    this.dispatch();
    if (this.fault || this.#parts.leases.numRunning === 0) return;
    await new Promise<void>((resolve) => this.#idleWaiters.push(resolve));
  }

  /**
   * The lease under which a worker uploads or fetches an artifact.
   *
   * @throws PERMISSION_DENIED without the secret of the attempt, CONFLICT when it does not run
   */
  requireLease(message: "upload" | "download", claim: LeaseClaim): Lease {
    if (this.fault) throw this.fault;
    const { leases, claims } = this.#parts;
    const attempt = `attempt ${claim.attempt} of task ${claim.taskId || '""'}`;
    if (!claims.isProven(message, claim, "a worker")) {
      throw permissionDenied(
        `${attempt} was asked for without its secret; the ${message} is refused`,
      );
    }
    const lease = leases.currentLease(claim.taskId, claim.attempt);
    if (lease && isMember(lease) && message === "upload") {
      throw permissionDenied(`${attempt} is that of a member of a team, whose leader hands in`);
    }
    if (lease) return lease;
    throw conflict(`${attempt} is not running; the ${message} is refused`);
  }

  /** Ids of the artifacts that a task needs: what it measures, and learners that it starts from. */
  artifactsFor(lease: Lease): string[] {
    const record = this.#parts.ledger.record(lease.experimentId);
    const task = findTask(record, taskOf(lease))?.task;
    if (task === undefined) return [];
    const kind = task.work?.kind;
    const measured = kind?.$case === "evaluate" ? [kind.value.artifactId] : [];
    return [...measured, ...poolOf(record, task), ...memoriesOf(record, task)];
  }

  /** Id of the artifact that a task hands in. */
  artifactIdOf({ experimentId, taskId }: Lease): string {
    const task = findTask(this.#parts.ledger.record(experimentId), taskId)?.task;
    return task === undefined ? experimentId : artifactIdOf(task);
  }

  admit(hello: Hello): Admission {
    let admission: Admission = { kind: "later" };
    this.#guard.run(() => {
      admission = this.#reception.admit(hello);
    });
    return admission;
  }

  ready(hello: Hello): void {
    this.#guard.run(() => {
      this.#reception.welcome(hello);
      this.pools.noteJoined(hello.workerId);
    });
    this.dispatch();
  }

  heartbeat(workerId: string, heartbeat: Heartbeat): void {
    const { taskId, attempt, progressCounter } = heartbeat;
    const { roster, leases, memory, claims } = this.#parts;
    if (!this.#reception.isKnown(workerId)) return;
    const worker = roster.markHeard(workerId, heartbeat);
    if (worker) memory.noteReport(placeOf(worker), heartbeat, taskId === "");
    if (taskId !== "" && !claims.isProven("heartbeat", heartbeat, workerId)) {
      acknowledge(this.#parts.pool, workerId, heartbeat, { number: 0n, fenced: true });
      return;
    }
    leases.extend(workerId, taskId, attempt, progressCounter);
    if (taskId === "" && worker?.state === "busy") leases.extendWaiting(workerId);
    if (taskId === "" && roster.markSettled(workerId)) this.dispatch();
  }

  /** See `ReportDesk.take`. */
  report(workerId: string, report: TaskReport, fault?: string): void {
    const isKnown = this.#reception.isKnown(workerId);
    this.#parts.roster.markHeard(workerId);
    this.#guard.run(() => this.#desk.take(workerId, report, isKnown, fault));
    if (report.kind?.$case !== "progress") this.dispatch();
  }

  gone(workerId: string, reason: string): void {
    this.#guard.runOnce(() => {
      const lease = this.#parts.leases.leaseOfWorker(workerId);
      if (lease) this.#giveUp(lease, reason);
      // Its process is given time to end by itself.
      else this.#parts.roster.markLeaving(workerId);
    });
    this.dispatch();
  }

  /** A worker that was launched from here has ended. */
  #ended(workerId: string, exit: WorkerExit, isKnownCause: boolean): void {
    const { leases, roster } = this.#parts;
    this.#guard.runOnce(() => {
      const failedToStart = roster.isStarting(workerId) && !isKnownCause && !this.#isDraining;
      const pool = roster.find(workerId)?.launch?.pool ?? "";
      this.pools.forget(workerId);
      const lease = leases.leaseOfWorker(workerId);
      if (lease) this.#lose(lease, exit.reason, exit.logTail);
      if (failedToStart) this.pools.noteFailedStart(pool, workerId, exit);
    });
    this.dispatch();
  }

  #goOnAfter(pauseMs: number): void {
    if (this.#pause !== undefined) return;
    const goOn = () => {
      this.#pause = undefined;
      this.dispatch();
    };
    this.#pause = setTimeout(goOn, pauseMs).unref();
  }

  /** Many may wait for one result: others have their turn before the next of them get it. */
  #shareResults(): void {
    // What is left when this process ends is given at the next start.
    if (this.#isDraining || this.#isSharing) return;
    this.#isSharing = this.#parts.ledger.shareResults();
    if (!this.#isSharing) return;
    setImmediate(() => {
      this.#isSharing = false;
      this.dispatch();
    });
  }

  #cancelUnwanted(): void {
    for (const lease of this.#unwanted()) {
      // The others of a team end with their leader, which writes its checkpoint with their help.
      if (lease.cancelledAtMs !== undefined || isMember(lease)) continue;
      this.#parts.faults.attempt("stopping the worker", lease, () => this.#cancel(lease));
    }
  }

  #unwanted(): Lease[] {
    const { leases, ledger } = this.#parts;
    if (this.#isDraining) return leases.runningLeases();
    return ledger.stoppingIds().flatMap((id) => leases.leasesOfExperiment(id));
  }

  #cancel(lease: Lease): void {
    const { pool, clock } = this.#parts;
    lease.cancelledAtMs = clock.monotonicMs();
    const { taskId, attempt } = lease;
    pool.send(lease.workerId, { $case: "cancel", value: { taskId, attempt } });
  }

  /** Takes a task from a worker that may still run, and ends the worker's process. */
  #giveUp(lease: Lease, reason: string): void {
    this.#parts.log.warn(`worker ${lease.workerId} is given up: ${reason}`);
    this.#lose(lease, reason, "");
    this.pools.remove(lease.workerId);
  }

  #lose(lease: Lease, reason: string, logTail: string): void {
    this.#parts.faults.attempt("the loss of the worker", lease, () =>
      this.#loseTask(lease, reason, logTail),
    );
  }

  #loseTask(lease: Lease, reason: string, logTail: string): void {
    const { ledger } = this.#parts;
    const { taskId, experimentId } = lease;
    if (isMember(lease)) {
      this.#loseMember(lease, reason, logTail);
      return;
    }
    // A task that was told to stop has not failed if its worker ended before it stopped.
    const record = ledger.update(experimentId, (before, now) =>
      this.#isDraining || lease.adoption === "awaited"
        ? stopTask(before, taskId, now)
        : loseTask(before, taskId, reason, logTail, now),
    );
    release(this.#parts, lease);
    if (!this.#isDraining) this.#logLoss(findTask(record, taskId)?.task, reason);
  }

  /** A team that lost one of its workers begins again under another attempt. */
  #loseMember(lease: Lease, reason: string, logTail: string): void {
    const { ledger } = this.#parts;
    const isExpected = this.#isDraining || lease.adoption === "awaited";
    const said = this.#teams.lose(lease, reason, logTail, isExpected);
    const task = findTask(ledger.record(lease.experimentId), taskOf(lease))?.task;
    if (!this.#isDraining) this.#logLoss(task, said);
  }

  #logLoss(task: Task | undefined, reason: string): void {
    if (task?.state !== State.QUEUED) return;
    const { ledger, checkpoints, clock } = this.#parts;
    const message = `The worker was lost: ${reason}. ${continuation(checkpoints.newest(task.id))}`;
    ledger.appendLog(task, { level: LogLevel.WARNING, message, time: clock.now() });
  }

  #failed(fault: StorageFault): void {
    this.#endDrain();
    this.#parts.onFault(fault);
  }

  #endDrainIfIdle(): void {
    if (this.#parts.leases.numRunning === 0) this.#endDrain();
  }

  #endDrain(): void {
    for (const resolve of this.#idleWaiters.splice(0)) resolve();
  }
}

/** Where the next attempt at a task goes on, for its log. */
function continuation(checkpoints: readonly Checkpoint[]): string {
  if (checkpoints.length === 0) {
    return "The control plane has no checkpoint of the task, which starts again, unless a machine that has one of its own gets it.";
  }
  const steps = checkpoints.map(({ kind, step }) => `${kind} ${step}`);
  return `The task continues from its last checkpoint: ${steps.join(", ")}.`;
}
