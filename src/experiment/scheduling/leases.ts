import type { LeaseEnd } from "../domain/observer.js";
import { Groups } from "./groups.js";
import { isMember, seatId, type TeamPlace } from "./team-seat.js";

/** Time limits, all in milliseconds. */
export interface Timings {
  readonly heartbeatIntervalMs: number;
  /** A worker that has sent nothing for this long loses its task. */
  readonly leaseMs: number;
  /** A task whose progress counter stands still for this long counts as hung. */
  readonly hungAfterMs: number;
  /** Time that a task gets to write a checkpoint when it has to stop. */
  readonly stopGraceMs: number;
  /** Time that a new worker process gets to say hello; it loads PyTorch first. */
  readonly startUpMs: number;
  /** Time for the next worker to come back after a start of the control plane. */
  readonly rejoinMs: number;
  /** Time for all of them, however many come back. */
  readonly longestRejoinMs: number;
  /** Wait after the first lost attempt of a task; it doubles with each further one. */
  readonly retryBackOffMs: number;
  /** How often deadlines are checked. */
  readonly tickMs: number;
}

export const DEFAULT_TIMINGS: Timings = {
  heartbeatIntervalMs: 2_000,
  // Many missed heartbeats: a machine under load is slow, not dead, and the end of a local process
  // is noticed at once without this.
  leaseMs: 60_000,
  hungAfterMs: 600_000,
  stopGraceMs: 30_000,
  startUpMs: 180_000,
  rejoinMs: 30_000,
  // Ten thousand hellos, each of which may take 30 ms on a busy machine.
  longestRejoinMs: 300_000,
  retryBackOffMs: 1_000,
  tickMs: 1_000,
};

/** A check that is late by more than this share of the time between checks tells of a pause. */
const FORGIVEN = 0.25;

/** A running task and the worker that has it. */
export interface Lease {
  /** Of a member of a team: that of its seat. */
  readonly taskId: string;
  readonly experimentId: string;
  readonly attempt: number;
  readonly workerId: string;
  /** Absent where the worker has the task alone. */
  readonly team?: TeamPlace | undefined;
  /** Number of the last report that was taken in. */
  lastReport: bigint;
  /** When the task was told to stop, on the monotonic clock. */
  cancelledAtMs: number | undefined;
  /** Its state after a restart of the control plane while the task ran. */
  adoption: "none" | "awaited" | "adopted";
}

type Granted = Pick<Lease, "taskId" | "experimentId" | "attempt" | "workerId" | "team">;

interface Timed extends Lease {
  deadlineMs: number;
  progressCounter: bigint;
  movedAtMs: number;
}

/** The return of all workers after a start of the control plane, on the monotonic clock. */
interface Rejoin {
  beganMs: number;
  /** Of the last worker that came back; absent before the first one. */
  helloAtMs?: number;
}

export interface Expiry {
  readonly lease: Lease;
  readonly end: LeaseEnd;
  /** Ends the sentence "the worker was lost: …". */
  readonly reason: string;
}

/** The current leases. */
export class Leases {
  readonly #byTask = new Map<string, Timed>();
  readonly #byWorker = new Groups<string, Timed>();
  readonly #byExperiment = new Groups<string, Timed>();
  readonly #timings: Timings;
  readonly #monotonicMs: () => number;
  #rejoin: Rejoin = { beganMs: Number.NEGATIVE_INFINITY };
  #lastCheckMs: number;

  constructor(timings: Timings, monotonicMs: () => number) {
    this.#timings = timings;
    this.#monotonicMs = monotonicMs;
    this.#lastCheckMs = monotonicMs();
  }

  grant(lease: Granted): Lease {
    const nowMs = this.#monotonicMs();
    const granted: Timed = {
      ...lease,
      lastReport: 0n,
      cancelledAtMs: undefined,
      adoption: "none",
      deadlineMs: nowMs + this.#timings.leaseMs,
      progressCounter: -1n,
      movedAtMs: nowMs,
    };
    this.release(lease.taskId);
    this.#byTask.set(lease.taskId, granted);
    this.#byWorker.add(lease.workerId, granted);
    this.#byExperiment.add(lease.experimentId, granted);
    return granted;
  }

  /** A lease that an earlier control plane granted; its worker gets time to come back. */
  await(lease: Granted): void {
    const awaited = this.grant(lease) as Timed;
    awaited.adoption = "awaited";
    this.#rejoin = { beganMs: this.#monotonicMs() };
  }

  /** A worker has said hello for the first time: those behind it get more time. */
  noteHello(): void {
    this.#rejoin.helloAtMs = this.#monotonicMs();
  }

  /**
   * The worker of an awaited lease is back.
   *
   * @param lastReport number of the last of its reports that was acknowledged
   */
  adopt(lease: Lease, lastReport: bigint): void {
    const timed = lease as Timed;
    timed.adoption = "adopted";
    timed.lastReport = lastReport;
    timed.deadlineMs = this.#monotonicMs() + this.#timings.leaseMs;
    timed.movedAtMs = this.#monotonicMs();
  }

  /** The lease that a message is about, unless the attempt is no longer the current one. */
  currentLease(taskId: string, attempt: number): Lease | undefined {
    const lease = this.#byTask.get(taskId);
    return lease?.attempt === attempt ? lease : undefined;
  }

  leaseOfTask(taskId: string): Lease | undefined {
    return this.#byTask.get(taskId);
  }

  leaseOfWorker(workerId: string): Lease | undefined {
    const [lease] = this.#byWorker.of(workerId);
    return lease;
  }

  leasesOfExperiment(experimentId: string): Lease[] {
    return [...this.#byExperiment.of(experimentId)];
  }

  get numRunning(): number {
    return this.#byTask.size;
  }

  /** The other leases of the team that this one leads; none where its worker is alone. */
  membersOf({ team }: Lease): Lease[] {
    if (team === undefined || team.rank > 0) return [];
    const ranks = Array.from({ length: team.size - 1 }, (_, at) => at + 1);
    return ranks.flatMap((rank) => this.#byTask.get(seatId(team.taskId, rank)) ?? []);
  }

  /** The lease of the leader of a member's team. */
  leaderOf({ team, attempt }: Lease): Lease | undefined {
    return team && this.currentLease(team.taskId, attempt);
  }

  runningLeases(): Lease[] {
    return [...this.#byTask.values()];
  }

  /** A heartbeat extends the deadline only of the task that the worker says it runs. */
  extend(workerId: string, taskId: string, attempt: number, progressCounter: bigint): void {
    const lease = this.#byTask.get(taskId);
    if (lease?.workerId !== workerId || lease.attempt !== attempt) return;
    const nowMs = this.#monotonicMs();
    lease.deadlineMs = nowMs + this.#timings.leaseMs;
    if (progressCounter === lease.progressCounter) return;
    lease.progressCounter = progressCounter;
    lease.movedAtMs = nowMs;
  }

  /** A member of a team that waits for its leader's word has no task to speak of. */
  extendWaiting(workerId: string): void {
    const lease = this.leaseOfWorker(workerId) as Timed | undefined;
    if (!lease || !isMember(lease) || lease.progressCounter >= 0n) return;
    lease.deadlineMs = this.#monotonicMs() + this.#timings.leaseMs;
  }

  release(taskId: string): void {
    const lease = this.#byTask.get(taskId);
    if (!lease) return;
    this.#byTask.delete(taskId);
    this.#byWorker.remove(lease.workerId, lease);
    this.#byExperiment.remove(lease.experimentId, lease);
  }

  /** The leases that ran out since the last call. They stay until they are released. */
  expiredLeases(): Expiry[] {
    const nowMs = this.#monotonicMs();
    this.#forgiveOwnPause(nowMs);
    const { leaseMs, hungAfterMs, stopGraceMs } = this.#timings;
    const rejoinUntilMs = this.#rejoinUntilMs();
    return [...this.#byTask.values()].flatMap((lease): Expiry[] => {
      if (lease.adoption === "awaited") {
        const waitedS = Math.round((rejoinUntilMs - this.#rejoin.beganMs) / 100) / 10;
        const reason = `it did not come back within ${waitedS} s`;
        return nowMs > rejoinUntilMs ? [{ lease, end: "silent", reason }] : [];
      }
      if (nowMs > lease.deadlineMs) {
        return [{ lease, end: "silent", reason: `it sent nothing for ${leaseMs / 1000} s` }];
      }
      // A team gets on as its leader does.
      if (nowMs > lease.movedAtMs + hungAfterMs && !isMember(lease)) {
        const reason = `its task made no progress for ${hungAfterMs / 1000} s`;
        return [{ lease, end: "stalled", reason }];
      }
      if (lease.cancelledAtMs !== undefined && nowMs > lease.cancelledAtMs + stopGraceMs) {
        const reason = `it did not stop within ${stopGraceMs / 1000} s`;
        return [{ lease, end: "did_not_stop", reason }];
      }
      return [];
    });
  }

  /** One deadline for all, which each worker that comes back moves on. */
  #rejoinUntilMs(): number {
    const { beganMs, helloAtMs = beganMs } = this.#rejoin;
    const { rejoinMs, longestRejoinMs } = this.#timings;
    return Math.min(Math.max(beganMs, helloAtMs) + rejoinMs, beganMs + longestRejoinMs);
  }

  /**
   * While this process was stopped (Ctrl-Z, a debugger) or had no processor, heartbeats waited unread
   * in the socket: the time in which nobody looked does not count against the workers.
   */
  #forgiveOwnPause(nowMs: number): void {
    const pauseMs = nowMs - this.#lastCheckMs - this.#timings.tickMs;
    this.#lastCheckMs = nowMs;
    if (pauseMs <= FORGIVEN * this.#timings.tickMs) return;
    this.#rejoin.beganMs += pauseMs;
    if (this.#rejoin.helloAtMs !== undefined) this.#rejoin.helloAtMs += pauseMs;
    for (const lease of this.#byTask.values()) {
      lease.deadlineMs += pauseMs;
      lease.movedAtMs += pauseMs;
    }
  }
}
