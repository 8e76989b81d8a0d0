import type { Failure } from "../../generated/stillhouse/v1/failure.js";
import type { TaskReport } from "../../generated/stillhouse/v1/worker.js";
import type { ExperimentRecord } from "../domain/record.js";
import { failTask, loseTask, stopTask } from "../domain/transitions.js";
import { type AttemptParts, release, takeBack } from "./attempt-end.js";
import type { Lease } from "./leases.js";
import type { Ledger } from "./ledger.js";
import type { Outcome } from "./report-intake.js";
import type { TaskFaults } from "./task-faults.js";
import { taskOf } from "./team-seat.js";

export interface TeamDeskParts extends AttemptParts {
  readonly ledger: Ledger;
  readonly faults: TaskFaults;
}

/**
 * Takes what the members of a team report, of whom only the leader speaks about the task. The end of
 * one that has not done its part is the end of the attempt.
 */
export class TeamDesk {
  readonly #parts: TeamDeskParts;

  constructor(parts: TeamDeskParts) {
    this.#parts = parts;
  }

  take(lease: Lease, kind: NonNullable<TaskReport["kind"]>): Outcome {
    switch (kind.$case) {
      case "result":
        return { kind: "succeeded" };
      case "failure": {
        const failure = ofMember(lease, kind.value);
        this.#end(lease, (record, now) => failTask(record, taskOf(lease), failure, now));
        return { kind: "failed", failure };
      }
      case "stopped":
        this.lose(lease, "it was stopped", "");
        return { kind: "stopped" };
      default:
        return { kind: "continues" };
    }
  }

  /**
   * @param reason as of `loseTask`
   * @param isExpected whether the loss does not count as one of the task
   * @returns the reason, with the worker
   */
  lose(lease: Lease, reason: string, logTail: string, isExpected = false): string {
    const said = `${reason} (worker ${lease.workerId} of its team)`;
    this.#end(lease, (record, now) =>
      isExpected
        ? stopTask(record, taskOf(lease), now)
        : loseTask(record, taskOf(lease), said, logTail, now),
    );
    return said;
  }

  /** The leader and all others drop the task; its next attempt is another generation. */
  #end(lease: Lease, change: (record: ExperimentRecord, now: Date) => ExperimentRecord): void {
    const { ledger, leases, faults } = this.#parts;
    const leader = leases.leaderOf(lease);
    if (leader === undefined) {
      release(this.#parts, lease);
      return;
    }
    faults.attempt("the end of its team", leader, () => {
      ledger.update(leader.experimentId, change);
      release(this.#parts, lease);
      takeBack(this.#parts, leader);
    });
  }
}

function ofMember({ workerId }: Lease, failure: Failure): Failure {
  return { ...failure, message: `worker ${workerId} of its team: ${failure.message}` };
}
