import type { TaskReport, TeamStore } from "../../generated/stillhouse/v1/worker.js";
import type { Observer, ReportRefusal } from "../domain/observer.js";
import type { Log } from "../domain/ports.js";
import { alone } from "../domain/storage-fault.js";
import { acknowledge, release, takeBack } from "./attempt-end.js";
import type { LeaseClaims } from "./lease-claims.js";
import type { Lease } from "./leases.js";
import type { Pools } from "./pools.js";
import type { Outcome, ReportIntake } from "./report-intake.js";
import { refusedReport } from "./task-faults.js";
import type { TeamDesk, TeamDeskParts } from "./team-desk.js";
import { isMember, taskOf } from "./team-seat.js";
import { WorkerTrust, type WorkerTrustParts } from "./worker-trust.js";

export interface ReportDeskParts extends TeamDeskParts, WorkerTrustParts {
  readonly claims: LeaseClaims;
  readonly intake: ReportIntake;
  readonly observer: Pick<Observer, "reportRefused">;
  readonly log: Log;
}

/** Decides which reports count, acknowledges them, and acts on them. */
export class ReportDesk {
  readonly #parts: ReportDeskParts;
  readonly #pools: Pools;
  readonly #trust: WorkerTrust;
  readonly #teams: TeamDesk;
  readonly #seat: (lease: Lease, store: TeamStore) => void;

  /** @param seat gives the others of a team their part, at what its leader has opened */
  constructor(
    parts: ReportDeskParts,
    pools: Pools,
    teams: TeamDesk,
    seat: (lease: Lease, store: TeamStore) => void,
  ) {
    this.#parts = parts;
    this.#pools = pools;
    this.#teams = teams;
    this.#seat = seat;
    this.#trust = new WorkerTrust(parts, pools);
  }

  /**
   * Only a worker with the secret of an attempt is heard. Reports are accepted in order and once: a
   * repeat is only acknowledged again, and after a gap the worker sends again from the last
   * acknowledged one.
   *
   * @param isKnown whether the worker has said hello
   * @param fault why nothing of the report can be accepted
   * @throws StorageFault: then nothing was stored, and the report comes again
   */
  take(workerId: string, report: TaskReport, isKnown: boolean, fault?: string): void {
    const { leases, claims, intake, pool, observer } = this.#parts;
    if (!claims.isProven("report", report, workerId)) {
      acknowledge(pool, workerId, report, { number: report.number, fenced: true });
      return;
    }
    const lease = leases.currentLease(report.taskId, report.attempt);
    if (lease?.workerId !== workerId) {
      this.#takeLate(workerId, report, fault);
      return;
    }
    // Before its hello it is not known which of its reports were taken in.
    if (!isKnown || report.kind === undefined) return;
    if (report.kind.$case === "progress") {
      if (!isMember(lease)) this.#conclude(lease, intake.take(lease, report.kind));
      return;
    }
    if (report.number === lease.lastReport + 1n) {
      const outcome = this.#take(lease, report.kind, fault);
      lease.lastReport = report.number;
      this.#conclude(lease, outcome);
      if (outcome.kind === "refused") {
        observer.reportRefused(refusalOf(fault));
        return;
      }
    }
    acknowledge(pool, workerId, report, { number: lease.lastReport, fenced: false });
    // It was not told to stop by the control plane, so somebody is ending its process.
    const isLeaving = report.kind.$case === "stopped" && lease.cancelledAtMs === undefined;
    if (isLeaving) this.#pools.remove(workerId);
  }

  #take(lease: Lease, kind: NonNullable<TaskReport["kind"]>, fault: string | undefined): Outcome {
    const { intake } = this.#parts;
    const refusal = fault === undefined ? undefined : refusedReport(new Error(fault));
    if (isMember(lease)) {
      return this.#teams.take(lease, refusal ? { $case: "failure", value: refusal } : kind);
    }
    if (refusal) return intake.refuse(lease, refusal);
    const outcome = intake.take(lease, kind);
    if (kind.$case === "teamStore") this.#seat(lease, kind.value);
    return outcome;
  }

  /** A fault in the report of an earlier attempt is logged, and the report does not come again. */
  #takeLate(workerId: string, report: TaskReport, fault: string | undefined): void {
    const { intake, pool, log, observer } = this.#parts;
    alone(
      () => {
        if (fault !== undefined) throw new Error(fault);
        intake.takeLate(report);
      },
      (thrown) => {
        observer.reportRefused(refusalOf(fault));
        const failure = refusedReport(thrown);
        log.warn(`worker ${workerId}, late for task ${report.taskId}: ${failure.message}`);
        this.#trust.noteFailure(workerId, report.taskId, failure);
      },
    );
    acknowledge(pool, workerId, report, { number: report.number, fenced: true });
  }

  #conclude(lease: Lease, outcome: Outcome): void {
    const { workerId } = lease;
    const taskId = taskOf(lease);
    switch (outcome.kind) {
      case "continues":
        return;
      case "succeeded":
        release(this.#parts, lease);
        this.#trust.noteSuccess(workerId);
        return;
      case "stopped":
        release(this.#parts, lease);
        return;
      case "failed":
        release(this.#parts, lease);
        this.#trust.noteFailure(workerId, taskId, outcome.failure);
        return;
      case "refused":
        this.#parts.log.warn(`worker ${workerId}, task ${taskId}: ${outcome.failure.message}`);
        takeBack(this.#parts, lease);
        this.#trust.noteFailure(workerId, taskId, outcome.failure);
    }
  }
}

function refusalOf(fault: string | undefined): ReportRefusal {
  return fault === undefined ? "not_stored" : "invalid";
}
