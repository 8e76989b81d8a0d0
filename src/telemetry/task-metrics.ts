import { Counter, Gauge, Histogram, type Registry } from "prom-client";
import type { LeaseEnd } from "../experiment/domain/observer.js";
import type { TaskCount } from "../experiment/domain/queue-ports.js";
import type { ExperimentRecord, TaskRecord } from "../experiment/domain/record.js";
import { TASK_KINDS, type TaskKind, taskKind } from "../experiment/domain/task-kind.js";
import { State, type Task } from "../generated/stillhouse/v1/experiment.js";

const SECONDS_OF_TASKS = [1, 3, 10, 30, 60, 180, 600, 1800, 3600, 7200, 21_600, 86_400];
const SECONDS_OF_WAITS = [0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 60, 300, 1800, 7200, 86_400];

/** How an attempt at a task ended; "interrupted" ones continue later, on any worker. */
type Outcome = "succeeded" | "failed" | "cancelled" | "interrupted";

const OUTCOMES: Partial<Record<State, Outcome>> = {
  [State.SUCCEEDED]: "succeeded",
  [State.FAILED]: "failed",
  [State.CANCELLED]: "cancelled",
  [State.QUEUED]: "interrupted",
};

/** The queue, what runs, and how long both take. */
export class TaskMetrics {
  readonly #monotonicMs: () => number;
  /**
   * When a task was queued again, could start because of another one, or was given to a worker; by
   * the task's id.
   */
  readonly #sinceMs = new Map<string, number>();
  readonly #queued: Gauge<"kind">;
  readonly #running: Gauge<"kind">;
  readonly #wait: Histogram<"kind">;
  readonly #duration: Histogram<"kind" | "outcome">;
  readonly #retries: Counter<"kind">;
  readonly #reused: Counter<"kind">;
  readonly #leaseExpiries: Counter<"reason">;

  constructor(registry: Registry, monotonicMs: () => number) {
    this.#monotonicMs = monotonicMs;
    const registers = [registry];
    this.#queued = new Gauge({
      name: "stillhouse_queue_tasks",
      help: "Tasks that wait for a worker or for another task.",
      labelNames: ["kind"],
      registers,
    });
    this.#running = new Gauge({
      name: "stillhouse_running_tasks",
      help: "Tasks that workers have.",
      labelNames: ["kind"],
      registers,
    });
    this.#wait = new Histogram({
      name: "stillhouse_queue_wait_seconds",
      help: "Time from when a task was ready until a worker got it.",
      labelNames: ["kind"],
      buckets: SECONDS_OF_WAITS,
      registers,
    });
    this.#duration = new Histogram({
      name: "stillhouse_task_duration_seconds",
      help: "Time that a worker had a task, by how the attempt ended.",
      labelNames: ["kind", "outcome"],
      buckets: SECONDS_OF_TASKS,
      registers,
    });
    this.#retries = new Counter({
      name: "stillhouse_task_retries_total",
      help: "Times that a task was queued again after a lost worker or a retryable failure.",
      labelNames: ["kind"],
      registers,
    });
    this.#reused = new Counter({
      name: "stillhouse_tasks_reused_total",
      help: "Tasks that reused the result of an earlier one.",
      labelNames: ["kind"],
      registers,
    });
    this.#leaseExpiries = new Counter({
      name: "stillhouse_lease_expiries_total",
      help: "Tasks that were taken from a worker that was silent, stalled or did not stop.",
      labelNames: ["reason"],
      registers,
    });
    this.#beginAtZero();
  }

  leaseExpired(reason: LeaseEnd): void {
    this.#leaseExpiries.inc({ reason });
  }

  /** Without a zero first, Prometheus computes no rate for the first value. */
  #beginAtZero(): void {
    for (const kind of TASK_KINDS) {
      this.#queued.set({ kind }, 0);
      this.#running.set({ kind }, 0);
      this.#wait.zero({ kind });
      this.#retries.inc({ kind }, 0);
      this.#reused.inc({ kind }, 0);
      for (const outcome of Object.values(OUTCOMES)) this.#duration.zero({ kind, outcome });
    }
    for (const reason of ["silent", "stalled", "did_not_stop"] satisfies LeaseEnd[]) {
      this.#leaseExpiries.inc({ reason }, 0);
    }
  }

  /** What an earlier process left. */
  tookOver(tasks: readonly TaskCount[]): void {
    for (const { kind, state, count } of tasks) {
      const gauge = state === State.QUEUED ? this.#queued : this.#running;
      gauge.inc({ kind: kind || "other" }, count);
    }
  }

  changed(before: ExperimentRecord | undefined, after: ExperimentRecord): void {
    const { createTime } = after.experiment;
    after.tasks.forEach((entry, position) => {
      const earlier = before?.tasks[position];
      if (entry === earlier) return;
      this.#moved(earlier?.task, entry.task, createTime);
      if (earlier && isRetried(earlier, entry)) this.#retries.inc({ kind: taskKind(entry.task) });
    });
    if (wasDistilled(before, after)) this.#becameReady(after);
  }

  #moved(before: Task | undefined, after: Task, createTime: Date | undefined): void {
    if (before?.state === after.state) return;
    if (before) this.#count(before, -1);
    this.#count(after, 1);
    const kind = taskKind(after);
    const seconds = this.#secondsSince(after.id) ?? secondsToFirstStart(after, createTime);
    if (before?.state === State.RUNNING) {
      const outcome = OUTCOMES[after.state];
      if (outcome && seconds !== undefined) this.#duration.observe({ kind, outcome }, seconds);
    }
    if (after.state === State.RUNNING) {
      if (seconds !== undefined) this.#wait.observe({ kind }, seconds);
    }
    if (before && after.state === State.SUCCEEDED && after.reused) this.#reused.inc({ kind });
    // Very many may be queued for long; since when new ones are is known from their experiments.
    if (before) this.#remember(after);
  }

  /** The distilled data exists now, so its evaluations are ready. */
  #becameReady({ tasks }: ExperimentRecord): void {
    for (const { task } of tasks) {
      if (taskKind(task) === "evaluate" && task.state === State.QUEUED) this.#remember(task);
    }
  }

  #remember({ id, state }: Task): void {
    if (state === State.QUEUED || state === State.RUNNING) {
      this.#sinceMs.set(id, this.#monotonicMs());
    } else {
      this.#sinceMs.delete(id);
    }
  }

  #secondsSince(taskId: string): number | undefined {
    const sinceMs = this.#sinceMs.get(taskId);
    return sinceMs === undefined ? undefined : (this.#monotonicMs() - sinceMs) / 1000;
  }

  #count(task: Task, change: 1 | -1): void {
    const kind: TaskKind = taskKind(task);
    if (task.state === State.QUEUED) this.#queued.inc({ kind }, change);
    if (task.state === State.RUNNING) this.#running.inc({ kind }, change);
  }
}

/** How long a task waited whose first attempt begins. */
function secondsToFirstStart(
  { attempt, state, attemptStartTime }: Task,
  createTime: Date | undefined,
): number | undefined {
  const isFirst = state === State.RUNNING && attempt === 1;
  if (!isFirst || attemptStartTime === undefined || createTime === undefined) return undefined;
  return Math.max(0, attemptStartTime.getTime() - createTime.getTime()) / 1_000;
}

/** A person's resume queues it again too, and so does the end of a control plane. */
function isRetried(before: TaskRecord, after: TaskRecord): boolean {
  return after.task.state === State.QUEUED && after.numLost > before.numLost;
}

function wasDistilled(before: ExperimentRecord | undefined, after: ExperimentRecord): boolean {
  return after.tasks.some(
    ({ task }, position) =>
      taskKind(task) === "distill" &&
      task.state === State.SUCCEEDED &&
      before?.tasks[position]?.task.state !== State.SUCCEEDED,
  );
}
