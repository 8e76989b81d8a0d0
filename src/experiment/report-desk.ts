import { FailureKind } from "../errors.js";
import type { Failure } from "../generated/stillhouse/v1/failure.js";
import type { TaskReport } from "../generated/stillhouse/v1/worker.js";
import { type AttemptParts, acknowledge, release, takeBack } from "./attempt-end.js";
import type { LeaseClaims } from "./lease-claims.js";
import type { Lease } from "./leases.js";
import type { Log } from "./ports.js";
import type { Outcome, ReportIntake } from "./report-intake.js";
import type { Staffing } from "./staffing.js";
import { alone } from "./storage-fault.js";
import { refusedReport } from "./task-faults.js";

/** A worker on which so many tasks failed in a row is taken to be at fault. */
const MAX_FAILED_TASKS = 5;

export interface ReportDeskParts extends AttemptParts {
  readonly claims: LeaseClaims;
  readonly intake: ReportIntake;
  readonly log: Log;
}

/** Decides which reports count, acknowledges them, and draws the consequences. */
export class ReportDesk {
  readonly #parts: ReportDeskParts;
  readonly #staffing: Staffing;

  constructor(parts: ReportDeskParts, staffing: Staffing) {
    this.#parts = parts;
    this.#staffing = staffing;
  }

  /**
   * Only who has the secret of an attempt is heard. Reports are taken in order and once: a repeat is only acknowledged again, and after a gap the
   * worker sends again from the last acknowledged one.
   *
   * @param isKnown whether the worker has said hello
   * @throws StorageFault: then nothing was taken in, and the report comes again
   */
  take(workerId: string, report: TaskReport, isKnown: boolean): void {
    const { leases, claims, intake, pool } = this.#parts;
    if (!claims.isProven("report", report, workerId)) {
      acknowledge(pool, workerId, report, { number: report.number, fenced: true });
      return;
    }
    const lease = leases.current(report.taskId, report.attempt);
    if (lease?.workerId !== workerId) {
      this.#takeLate(workerId, report);
      return;
    }
    // Before its hello it is not known which of its reports were taken in.
    if (!isKnown || report.kind === undefined) return;
    if (report.kind.$case === "progress") {
      this.#conclude(lease, intake.take(lease, report.kind));
      return;
    }
    if (report.number === lease.lastReport + 1n) {
      const outcome = intake.take(lease, report.kind);
      lease.lastReport = report.number;
      this.#conclude(lease, outcome);
      if (outcome.kind === "refused") return;
    }
    acknowledge(pool, workerId, report, { number: lease.lastReport, fenced: false });
    // It was not told to stop, so somebody is ending its process.
    const isLeaving = report.kind.$case === "stopped" && lease.cancelledAtMs === undefined;
    if (isLeaving) this.#staffing.remove(workerId);
  }

  /** What is wrong with the report of an earlier attempt is told of, and does not come again. */
  #takeLate(workerId: string, report: TaskReport): void {
    const { intake, pool, log } = this.#parts;
    alone(
      () => intake.takeLate(report),
      (thrown) => {
        const failure = refusedReport(thrown);
        log.warn(`worker ${workerId}, late for task ${report.taskId}: ${failure.message}`);
        this.#judge(workerId, report.taskId, failure);
      },
    );
    acknowledge(pool, workerId, report, { number: report.number, fenced: true });
  }

  #conclude(lease: Lease, outcome: Outcome): void {
    const { workerId, taskId } = lease;
    switch (outcome.kind) {
      case "continues":
        return;
      case "succeeded":
        release(this.#parts, lease);
        this.#parts.roster.succeeded(workerId);
        return;
      case "stopped":
        release(this.#parts, lease);
        return;
      case "failed":
        release(this.#parts, lease);
        this.#judge(workerId, taskId, outcome.failure);
        return;
      case "refused":
        this.#parts.log.warn(`worker ${workerId}, task ${taskId}: ${outcome.failure.message}`);
        takeBack(this.#parts, lease);
        this.#judge(workerId, taskId, outcome.failure);
    }
  }

  /** A worker on which task after task fails gets no more; one of this machine is started anew. */
  #judge(workerId: string, taskId: string, failure: Failure): void {
    const { roster, log } = this.#parts;
    if (!mayBeTheWorkers(failure.kind)) return;
    if (roster.failed(workerId, taskId) < MAX_FAILED_TASKS) return;
    log.warn(
      `worker ${workerId} is set aside: ${MAX_FAILED_TASKS} tasks in a row failed on it, the last with: ${failure.message}`,
    );
    if (roster.find(workerId)?.isLocal) this.#staffing.dismiss(workerId);
    else roster.setAside(workerId);
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
