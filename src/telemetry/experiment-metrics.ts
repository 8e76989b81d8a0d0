import { Counter, Gauge, type Registry } from "prom-client";
import { baselineOfId } from "../baselines.js";
import type { ExperimentRecord } from "../experiment/domain/record.js";
import { isEnded } from "../experiment/domain/states.js";
import { taskKind } from "../experiment/domain/task-kind.js";
import {
  type Experiment,
  type MetricPoint,
  State,
  type Task,
} from "../generated/stillhouse/v1/experiment.js";
import type { ExperimentSpec } from "../generated/stillhouse/v1/spec.js";
import { ACCURACY, OUTER_LOSS, VALIDATION_ACCURACY } from "../metric-names.js";
import { testedRows } from "../results/rows.js";
import { ExperimentGauges, type Learners } from "./experiment-gauges.js";

/** The series of an ended experiment are kept this long, so that a scrape sees the last values. */
const KEPT_MS = 3_600_000;
/** Most experiments with series; beyond that those that ended first are dropped. */
const MAX_EXPERIMENTS = 500;

/** What the learners of a task were trained on; undefined if they have no series. */
function learnersOf(task: Task): Learners | undefined {
  const kind = taskKind(task);
  if (kind === "evaluate") return "distilled";
  return baselineOfId(kind)?.id;
}

const ENDS: Partial<Record<State, string>> = {
  [State.SUCCEEDED]: "succeeded",
  [State.FAILED]: "failed",
  [State.CANCELLED]: "cancelled",
};

/** An experiment with series. */
interface Seen {
  readonly spec: ExperimentSpec | undefined;
  endedAtMs: number | undefined;
  /** By learners: how many were tested, and the sum of their accuracies. */
  readonly tested: Map<Learners, { count: number; sum: number }>;
}

/** The state of experiments that run or have just ended. */
export class ExperimentMetrics {
  readonly #monotonicMs: () => number;
  readonly #gauges: ExperimentGauges;
  readonly #seen = new Map<string, Seen>();
  #numUnfinished = 0;
  readonly #finished: Counter<"state">;

  constructor(registry: Registry, monotonicMs: () => number) {
    this.#monotonicMs = monotonicMs;
    // Metrics are asked in the order in which they are made: what is to be forgotten goes first.
    const numUnfinished = new Gauge({
      name: "stillhouse_unfinished_experiments",
      help: "Experiments that wait or run.",
      registers: [registry],
      collect: () => {
        this.#forgetOld();
        numUnfinished.set(this.#numUnfinished);
      },
    });
    this.#gauges = new ExperimentGauges(registry);
    this.#finished = new Counter({
      name: "stillhouse_experiments_finished_total",
      help: "Experiments that have ended.",
      labelNames: ["state"],
      registers: [registry],
    });
    for (const state of Object.values(ENDS)) this.#finished.inc({ state }, 0);
  }

  /** What an earlier process left; each may change from now on. */
  tookOver(numExperiments: number): void {
    this.#numUnfinished += numExperiments;
  }

  changed(before: ExperimentRecord | undefined, after: ExperimentRecord): void {
    const { id, state } = after.experiment;
    const wasUnfinished = before !== undefined && ENDS[before.experiment.state] === undefined;
    const end = ENDS[state];
    this.#numUnfinished += (end === undefined ? 1 : 0) - (wasUnfinished ? 1 : 0);
    if (end !== undefined && wasUnfinished) this.#finished.inc({ state: end });
    // An experiment that only waits has no values yet.
    if (state !== State.RUNNING && !this.#seen.has(id)) return;
    const seen = this.#see(after);
    seen.endedAtMs = isEnded(state) ? (seen.endedAtMs ?? this.#monotonicMs()) : undefined;
    this.#takeResult(after.experiment);
    if (this.#seen.size > MAX_EXPERIMENTS) this.#forgetOne();
  }

  removed(experimentId: string, isUnfinished: boolean): void {
    if (isUnfinished) this.#numUnfinished--;
    this.#forget(experimentId);
  }

  metrics(task: Task, points: readonly MetricPoint[]): void {
    const seen = this.#seen.get(task.experimentId);
    if (!seen) return;
    const kind = taskKind(task);
    for (const point of points) {
      if (kind === "distill") this.#distilled(task.experimentId, seen, point);
      else if (point.name === ACCURACY) {
        this.#tested(task.experimentId, seen, learnersOf(task), point.value);
      }
    }
  }

  #distilled(id: string, { spec }: Seen, { name, step, value }: MetricPoint): void {
    if (name === VALIDATION_ACCURACY) this.#gauges.validation(id, value);
    if (name !== OUTER_LOSS) return;
    this.#gauges.loss(id, value);
    const steps = spec?.outer?.steps ?? 0;
    if (steps > 0) this.#gauges.progress(id, Math.min(1, Number(step) / steps));
  }

  #tested(id: string, seen: Seen, learners: Learners | undefined, accuracy: number): void {
    if (learners === undefined) return;
    const { count, sum } = seen.tested.get(learners) ?? { count: 0, sum: 0 };
    const next = { count: count + 1, sum: sum + accuracy };
    seen.tested.set(learners, next);
    this.#gauges.accuracy(id, learners, next.sum / next.count);
  }

  #takeResult({ id, result }: Experiment): void {
    for (const { id: row, kind, accuracy } of testedRows(result)) {
      // A variation may be called as a baseline is.
      const baseline = kind === "baseline" ? baselineOfId(row)?.id : undefined;
      const learners = kind === "distilled" ? "distilled" : baseline;
      if (learners) this.#gauges.accuracy(id, learners, accuracy.mean);
    }
    if (result?.distillation === undefined) return;
    this.#gauges.progress(id, 1);
    const { validationAccuracy } = result.distillation;
    if (validationAccuracy !== undefined) this.#gauges.validation(id, validationAccuracy);
  }

  #see({ experiment: { id, spec } }: ExperimentRecord): Seen {
    const known = this.#seen.get(id);
    if (known) return known;
    const seen: Seen = { spec, endedAtMs: undefined, tested: new Map() };
    this.#seen.set(id, seen);
    this.#gauges.info(id, spec);
    return seen;
  }

  #forgetOld(): void {
    const beforeMs = this.#monotonicMs() - KEPT_MS;
    for (const [id, { endedAtMs }] of this.#seen) {
      if (endedAtMs !== undefined && endedAtMs < beforeMs) this.#forget(id);
    }
  }

  #forgetOne(): void {
    const endOf = ([, { endedAtMs }]: [string, Seen]) => endedAtMs ?? Number.MAX_VALUE;
    const [first] = [...this.#seen].sort((a, b) => endOf(a) - endOf(b));
    if (first) this.#forget(first[0]);
  }

  #forget(id: string): void {
    const seen = this.#seen.get(id);
    if (!seen) return;
    this.#gauges.remove(id, seen.spec);
    this.#seen.delete(id);
  }
}
