import { FailureKind, StillhouseError, toFailure } from "../errors.js";
import {
  type LogLine,
  State,
  type Task,
  type TaskResult,
} from "../generated/stillhouse/v1/experiment.js";
import type { TaskReport } from "../generated/stillhouse/v1/worker.js";
import type { Lease } from "./leases.js";
import type { Ledger } from "./ledger.js";
import type { ArtifactStore, MetricStore, WorkFolders } from "./ports.js";
import { findTask, isDistill } from "./record.js";
import { completeTask, failTask, stopTask } from "./transitions.js";

/** What a report leads to: the attempt goes on, or it has ended. */
export type Outcome = "continues" | "ended";

/** Takes in what workers report of their tasks. */
export class ReportIntake {
  readonly #ledger: Ledger;
  readonly #metrics: MetricStore;
  readonly #artifacts: ArtifactStore;
  readonly #workFolders: WorkFolders;

  constructor(
    ledger: Ledger,
    metrics: MetricStore,
    artifacts: ArtifactStore,
    workFolders: WorkFolders,
  ) {
    this.#ledger = ledger;
    this.#metrics = metrics;
    this.#artifacts = artifacts;
    this.#workFolders = workFolders;
  }

  /** When this returns, what the report says is stored. */
  take(lease: Lease, kind: NonNullable<TaskReport["kind"]>): Outcome {
    const { taskId, attempt, experimentId } = lease;
    switch (kind.$case) {
      case "progress":
        this.#ledger.progress(this.#task(lease), kind.value);
        return "continues";
      case "metrics":
        this.#metrics.appendMetrics(taskId, attempt, kind.value.points);
        this.#ledger.metrics(this.#task(lease), kind.value);
        return "continues";
      case "log":
        this.#takeLog(lease, kind.value);
        return "continues";
      case "result":
        this.#takeResult(lease, kind.value);
        return "ended";
      case "failure":
        this.#ledger.update(experimentId, (record, now) =>
          failTask(record, taskId, kind.value, now),
        );
        return "ended";
      case "stopped":
        this.#ledger.update(experimentId, (record, now) => stopTask(record, taskId, now));
        return "ended";
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
  }

  /** What an earlier control plane stored without a word to the worker comes once more. */
  #takeLog(lease: Lease, line: LogLine): void {
    const task = this.#task(lease);
    if (lease.adoption === "adopted" && this.#ledger.hasLog(task, line)) return;
    this.#ledger.log(task, line);
  }

  #takeResult(lease: Lease, result: TaskResult): void {
    const { taskId, experimentId } = lease;
    const task = this.#task(lease);
    if (task.state === State.STATE_SUCCEEDED) {
      // It was stored, and the disk was full before all that waited for it had it.
      this.#ledger.share(task.cacheKey);
      return;
    }
    const fault = this.#faultOf(task, result);
    if (fault) {
      const failure = toFailure(new StillhouseError(FailureKind.FAILURE_KIND_INTERNAL, fault));
      this.#ledger.update(experimentId, (record, now) => failTask(record, taskId, failure, now));
      return;
    }
    this.#ledger.update(experimentId, (record, now) => completeTask(record, taskId, result, now));
    this.#workFolders.remove(taskId);
  }

  #faultOf(task: Task, result: TaskResult): string | undefined {
    const expected = isDistill(task) ? "distill" : "learners";
    if (result.kind?.$case !== expected) {
      return `the worker reported a result of kind ${result.kind?.$case ?? "none"} for task ${task.id}, expected ${expected}`;
    }
    if (expected === "distill" && !this.#artifacts.exists(task.experimentId)) {
      return `the worker reported task ${task.id} as done but handed in no artifact`;
    }
    return undefined;
  }

  #task(lease: Lease): Task {
    const entry = findTask(this.#ledger.record(lease.experimentId), lease.taskId);
    if (entry) return entry.task;
    throw new StillhouseError(
      FailureKind.FAILURE_KIND_INTERNAL,
      `a lease is out for task ${lease.taskId}, which is not in the store`,
    );
  }
}
