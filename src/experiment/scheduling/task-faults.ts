import { FailureKind, toFailure } from "../../errors.js";
import { Failure } from "../../generated/stillhouse/v1/failure.js";
import type { Log } from "../domain/ports.js";
import { findTask } from "../domain/record.js";
import { isEnded } from "../domain/states.js";
import { alone } from "../domain/storage-fault.js";
import { failTask } from "../domain/transitions.js";
import { type AttemptParts, takeBack } from "./attempt-end.js";
import type { Lease } from "./leases.js";
import type { Ledger } from "./ledger.js";
import type { ReadyTasks } from "./ready-tasks.js";

export interface TaskFaultsParts extends AttemptParts {
  readonly ledger: Ledger;
  readonly ready: ReadyTasks;
  readonly log: Log;
}

type TaskName = Pick<Lease, "taskId" | "experimentId">;

/** Confines a defect to its task: that task fails with the reason, and all others continue. */
export class TaskFaults {
  readonly #parts: TaskFaultsParts;

  constructor(parts: TaskFaultsParts) {
    this.#parts = parts;
  }

  /**
   * Does something for one task; where that fails, the task does.
   *
   * @param what ends the sentence "… could not be done"
   * @returns whether it was done
   * @throws StorageFault
   */
  attempt(what: string, task: TaskName, step: () => void): boolean {
    let isDone = true;
    alone(step, (thrown) => {
      isDone = false;
      const failure = toFailure(thrown);
      const { log } = this.#parts;
      log.error(`${what} of task ${task.taskId}: ${failure.message}\n${failure.traceback}`);
      this.fail(task, failure);
      const lease = this.#parts.leases.leaseOfTask(task.taskId);
      if (lease) takeBack(this.#parts, lease);
    });
    return isDone;
  }

  /**
   * Ends a task that has not ended, as the failure of another may have ended it. One that cannot
   * even fail is left until it changes.
   */
  fail({ taskId, experimentId }: TaskName, failure: Failure): void {
    const { ledger, ready, log } = this.#parts;
    const failUnlessEnded = () => {
      const task = findTask(ledger.record(experimentId), taskId)?.task;
      if (task === undefined || isEnded(task.state)) ready.putAside(taskId);
      else ledger.update(experimentId, (record, now) => failTask(record, taskId, failure, now));
    };
    alone(failUnlessEnded, (thrown) => {
      ready.putAside(taskId);
      log.error(`task ${taskId} cannot be ended, and is left: ${toFailure(thrown).message}`);
    });
  }
}

/** A report that cannot be taken in is a defect, of the worker that sent it or of ours. */
export function refusedReport(thrown: unknown): Failure {
  const { message, traceback } = toFailure(thrown);
  return Failure.fromPartial({
    kind: FailureKind.INTERNAL,
    message: `a report of the worker could not be taken in: ${message}`,
    traceback,
  });
}
