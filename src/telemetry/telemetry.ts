import { collectDefaultMetrics, Gauge, type Registry } from "prom-client";
import type {
  ClaimingMessage,
  LeaseEnd,
  Observer,
  ReportRefusal,
} from "../experiment/domain/observer.js";
import type { TaskCount } from "../experiment/domain/queue-ports.js";
import type { ExperimentRecord } from "../experiment/domain/record.js";
import type { PoolFigures } from "../experiment/scheduling/pool-figures.js";
import type { MetricPoint, Task } from "../generated/stillhouse/v1/experiment.js";
import type { Worker } from "../generated/stillhouse/v1/service.js";
import { ExperimentMetrics } from "./experiment-metrics.js";
import { PoolMetrics } from "./pool-metrics.js";
import { RefusalMetrics } from "./refusal-metrics.js";
import { RequestMetrics } from "./request-metrics.js";
import { TaskMetrics } from "./task-metrics.js";
import { TrainingMetrics } from "./training-metrics.js";
import { WorkerMetrics } from "./worker-metrics.js";

export interface TelemetryOptions {
  readonly registry: Registry;
  readonly version: string;
  /** Milliseconds of a monotonic clock. */
  readonly monotonicMs: () => number;
  /** The connected workers. */
  readonly workers: () => readonly Worker[];
  /** The pools that may have workers. */
  readonly pools: () => readonly PoolFigures[];
  /** Whether changes are refused because nothing can be stored. */
  readonly hasStorageFault: () => boolean;
}

/** Every measurement of a control plane, on a registry of its own. */
export class Telemetry implements Observer {
  readonly #registry: Registry;
  readonly #tasks: TaskMetrics;
  readonly #training: TrainingMetrics;
  readonly #experiments: ExperimentMetrics;
  readonly #refusals: RefusalMetrics;
  readonly requests: RequestMetrics;

  constructor(options: TelemetryOptions) {
    const { registry, version, monotonicMs, workers, pools, hasStorageFault } = options;
    this.#registry = registry;
    this.#tasks = new TaskMetrics(registry, monotonicMs);
    this.#training = new TrainingMetrics(registry);
    this.#experiments = new ExperimentMetrics(registry, monotonicMs);
    this.#refusals = new RefusalMetrics(registry);
    this.requests = new RequestMetrics(registry);
    new WorkerMetrics(registry, monotonicMs, workers);
    new PoolMetrics(registry, pools);
    new Gauge({
      name: "stillhouse_storage_fault",
      help: "Whether changes are refused and nothing is dispatched because nothing can be stored.",
      registers: [registry],
      collect() {
        this.set(hasStorageFault() ? 1 : 0);
      },
    });
    collectDefaultMetrics({ register: registry });
    const build = new Gauge({
      name: "stillhouse_build_info",
      help: "Version of Stillhouse and of Node; always 1.",
      labelNames: ["version", "node"],
      registers: [registry],
    });
    build.set({ version, node: process.versions.node }, 1);
  }

  /** Content type of what `text` returns. */
  get contentType(): string {
    return this.#registry.contentType;
  }

  /** All measurements as Prometheus reads them. */
  text(): Promise<string> {
    return this.#registry.metrics();
  }

  tookOver(numExperiments: number, tasks: readonly TaskCount[]): void {
    this.#tasks.tookOver(tasks);
    this.#experiments.tookOver(numExperiments);
  }

  changed(before: ExperimentRecord | undefined, after: ExperimentRecord): void {
    this.#tasks.changed(before, after);
    this.#experiments.changed(before, after);
  }

  removed(experimentId: string, isUnfinished: boolean): void {
    this.#experiments.removed(experimentId, isUnfinished);
  }

  metrics(task: Task, points: readonly MetricPoint[]): void {
    this.#training.metrics(task, points);
    this.#experiments.metrics(task, points);
  }

  leaseExpired(reason: LeaseEnd): void {
    this.#tasks.leaseExpired(reason);
  }

  reportRefused(reason: ReportRefusal): void {
    this.#refusals.reportRefused(reason);
  }

  claimRefused(message: ClaimingMessage): void {
    this.#refusals.claimRefused(message);
  }

  workerRefused(): void {
    this.#refusals.workerRefused();
  }
}
