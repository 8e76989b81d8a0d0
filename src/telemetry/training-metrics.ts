import { Counter, Gauge, Histogram, type Registry } from "prom-client";
import { taskKind } from "../experiment/domain/task-kind.js";
import type { MetricPoint, Task } from "../generated/stillhouse/v1/experiment.js";
import { phaseOf } from "../metric-descriptors.js";
import { OUTER_LOSS, POOL_ACCURACY } from "../metric-names.js";

const PHASE = /^[a-z_]{1,40}$/;
/** An outer step takes milliseconds on a GPU, and a minute for many inner steps on a CPU. */
const SECONDS_OF_STEPS = [0.01, 0.03, 0.1, 0.2, 0.4, 0.7, 1, 1.5, 2, 3, 5, 10, 30, 60, 180];
/** More phases than workers report; further ones count as "other". */
const MAX_PHASES = 16;

/** What workers report about their outer steps. */
export class TrainingMetrics {
  readonly #steps: Counter;
  readonly #stepSeconds: Histogram;
  readonly #phaseSeconds: Counter<"phase">;
  readonly #points: Counter;
  readonly #pretrained: Counter;
  readonly #pretrainedAccuracy: Gauge;
  readonly #phases = new Set<string>();

  constructor(registry: Registry) {
    const registers = [registry];
    this.#steps = new Counter({
      name: "stillhouse_outer_steps_total",
      help: "Outer steps of distillations.",
      registers,
    });
    this.#stepSeconds = new Histogram({
      name: "stillhouse_outer_step_seconds",
      help: "Time of an outer step, all its phases together.",
      buckets: SECONDS_OF_STEPS,
      registers,
    });
    this.#phaseSeconds = new Counter({
      name: "stillhouse_outer_step_phase_seconds_total",
      help: "Time of outer steps by phase.",
      labelNames: ["phase"],
      registers,
    });
    this.#pretrained = new Counter({
      name: "stillhouse_pretrained_learners_total",
      help: "Learners of pools that were pretrained.",
      registers,
    });
    this.#pretrainedAccuracy = new Gauge({
      name: "stillhouse_pretrained_learner_accuracy_ratio",
      help: "Validation accuracy of the learner that was pretrained last.",
      registers,
    });
    this.#points = new Counter({
      name: "stillhouse_metric_points_total",
      help: "Metric points that workers reported.",
      registers,
    });
  }

  metrics(task: Task, points: readonly MetricPoint[]): void {
    this.#points.inc(points.length);
    if (taskKind(task) === "pretrain") this.#countPretrained(points);
    if (taskKind(task) !== "distill") return;
    const seconds = new Map<bigint, number>();
    for (const { name, step, value } of points) {
      if (name === OUTER_LOSS) this.#steps.inc();
      const phase = phaseOf(name);
      if (phase === undefined || !PHASE.test(phase) || !(value >= 0)) continue;
      this.#phaseSeconds.inc({ phase: this.#bounded(phase) }, value);
      seconds.set(step, (seconds.get(step) ?? 0) + value);
    }
    for (const value of seconds.values()) this.#stepSeconds.observe(value);
  }

  #countPretrained(points: readonly MetricPoint[]): void {
    const trained = points.filter(({ name }) => name === POOL_ACCURACY);
    this.#pretrained.inc(trained.length);
    for (const { value } of trained) this.#pretrainedAccuracy.set(value);
  }

  #bounded(phase: string): string {
    if (this.#phases.size < MAX_PHASES) this.#phases.add(phase);
    return this.#phases.has(phase) ? phase : "other";
  }
}
