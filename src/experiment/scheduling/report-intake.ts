import { internal, toFailure } from "../../errors.js";
import {
  type LogLine,
  State,
  type Task,
  type TaskResult,
} from "../../generated/stillhouse/v1/experiment.js";
import type { Failure } from "../../generated/stillhouse/v1/failure.js";
import type { TaskReport } from "../../generated/stillhouse/v1/worker.js";
import type { WorkFolders } from "../domain/ports.js";
import { artifactIdOf, findTask } from "../domain/record.js";
import { alone } from "../domain/storage-fault.js";
import type { ArtifactStore, MetricStore } from "../domain/storage-ports.js";
import { completeTask, failTask, stopTask } from "../domain/transitions.js";
import type { Lease } from "./leases.js";
import type { Ledger } from "./ledger.js";
import { refusedReport, type TaskFaults } from "./task-faults.js";

/** The consequence of a report. */
export type Outcome =
  | { readonly kind: "continues" }
  | { readonly kind: "succeeded" }
  | { readonly kind: "stopped" }
  /** As the worker says, or because its result is none. */
  | { readonly kind: "failed"; readonly failure: Failure }
  /** The report could not be taken in, so the attempt failed; its worker does not know it yet. */
  | { readonly kind: "refused"; readonly failure: Failure };

const CONTINUES: Outcome = { kind: "continues" };

/** Stores what workers report about their tasks. */
export class ReportIntake {
  readonly #ledger: Ledger;
  readonly #metrics: MetricStore;
  readonly #artifacts: ArtifactStore;
  readonly #workFolders: WorkFolders;
  readonly #faults: Pick<TaskFaults, "fail">;

  constructor(
    ledger: Ledger,
    metrics: MetricStore,
    artifacts: ArtifactStore,
    workFolders: WorkFolders,
    faults: Pick<TaskFaults, "fail">,
  ) {
    this.#faults = faults;
    this.#ledger = ledger;
    this.#metrics = metrics;
    this.#artifacts = artifacts;
    this.#workFolders = workFolders;
  }

  /**
   * When this returns, what the report says is stored; one that cannot be ends the attempt.
   *
   * @throws StorageFault: then nothing was taken in
   */
  take(lease: Lease, kind: NonNullable<TaskReport["kind"]>): Outcome {
    let outcome: Outcome = CONTINUES;
    alone(
      () => {
        outcome = this.#take(lease, kind);
      },
      (thrown) => {
        outcome = this.refuse(lease, refusedReport(thrown));
      },
    );
    return outcome;
  }

  /** Ends an attempt over one of its reports. */
  refuse(lease: Lease, failure: Failure): Outcome {
    this.#faults.fail(lease, failure);
    return { kind: "refused", failure };
  }

  #take(lease: Lease, kind: NonNullable<TaskReport["kind"]>): Outcome {
    const { taskId, attempt, experimentId } = lease;
    switch (kind.$case) {
      case "progress":
        this.#ledger.publishProgress(this.#task(lease), kind.value);
        return CONTINUES;
      case "metrics":
        this.#metrics.appendMetrics(taskId, attempt, kind.value.points);
        this.#ledger.publishMetrics(this.#task(lease), kind.value);
        return CONTINUES;
      case "log":
        this.#takeLog(lease, kind.value);
        return CONTINUES;
      case "result":
        return this.#takeResult(lease, kind.value);
      case "failure":
        return this.#fail(lease, kind.value);
      case "teamStore":
        return CONTINUES;
      case "stopped":
        this.#ledger.update(experimentId, (record, now) => stopTask(record, taskId, now));
        return { kind: "stopped" };
    }
  }

  /**
   * The points of an attempt that is no longer the current one complete the series; nothing else
   * that it says counts any more.
   */
  takeLate({ taskId, attempt, kind }: TaskReport): void {
    if (kind?.$case !== "metrics") return;
    const task = this.#ledger.findTask(taskId);
    if (task === undefined || attempt < 1 || attempt > task.attempt) return;
    this.#metrics.appendMetrics(taskId, attempt, kind.value.points);
    this.#ledger.publishLateMetrics(task, kind.value);
  }

  /** A line that an earlier control plane stored but did not acknowledge comes once more. */
  #takeLog(lease: Lease, line: LogLine): void {
    const task = this.#task(lease);
    if (lease.adoption === "adopted" && this.#ledger.hasLog(task, line)) return;
    this.#ledger.appendLog(task, line);
  }

  #takeResult(lease: Lease, result: TaskResult): Outcome {
    const { taskId, experimentId } = lease;
    const task = this.#task(lease);
    // It was stored, and the disk was full before all was done that follows from it.
    if (task.state === State.SUCCEEDED) return { kind: "succeeded" };
    const fault = this.#faultOf(task, result);
    if (fault) {
      const error = internal(fault);
      return this.#fail(lease, toFailure(error));
    }
    this.#ledger.update(experimentId, (record, now) => completeTask(record, taskId, result, now));
    this.#workFolders.remove(taskId);
    return { kind: "succeeded" };
  }

  #fail({ taskId, experimentId }: Lease, failure: Failure): Outcome {
    this.#ledger.update(experimentId, (record, now) => failTask(record, taskId, failure, now));
    return { kind: "failed", failure };
  }

  #faultOf(task: Task, result: TaskResult): string | undefined {
    const own = task.work?.kind?.$case;
    const expected = resultKind(own);
    if (result.kind?.$case !== expected) {
      return `the worker reported a result of kind ${result.kind?.$case ?? "none"} for task ${task.id}, expected ${expected}`;
    }
    const isStored = expected === "distill" || expected === "pretrain";
    if (isStored && !this.#artifacts.exists(artifactIdOf(task))) {
      return `the worker reported task ${task.id} as done but handed in no artifact`;
    }
    return undefined;
  }

  #task(lease: Lease): Task {
    const entry = findTask(this.#ledger.record(lease.experimentId), lease.taskId);
    if (entry) return entry.task;
    throw internal(`there is a lease for task ${lease.taskId}, which is not in the store`);
  }
}

type OwnKind = NonNullable<NonNullable<Task["work"]>["kind"]>["$case"];

/** The kind of result of a kind of work. */
function resultKind(own: OwnKind | undefined) {
  return own === "distill" || own === "pretrain" || own === "replay" ? own : "learners";
}
