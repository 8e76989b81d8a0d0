import { FailureKind, StillhouseError } from "../errors.js";
import {
  BaselineKind,
  type BaselineWork,
  State,
  Task,
  type Work,
} from "../generated/stillhouse/v1/experiment.js";
import { type ExperimentSpec, Init } from "../generated/stillhouse/v1/spec.js";
import { cacheKey } from "./cache-key.js";
import { initSeeds } from "./init-seeds.js";

/**
 * The tasks of an experiment in the order in which they are dispatched: distil, evaluate, then the
 * baselines that are enabled. Their ids follow from the experiment's, so a plan is repeatable.
 *
 * With a fixed init there is one learner, and its seed is the experiment's, which is the seed of
 * the head that the distillation trained for.
 *
 * @param spec resolved
 * @param codeVersion see `cacheKey`
 */
export function planTasks(
  spec: ExperimentSpec,
  experimentId: string,
  codeVersion: string,
): Task[] {
  const plan = (name: string, kind: NonNullable<Work["kind"]>, key = "") =>
    Task.fromPartial({
      id: `${experimentId}-${name}`,
      experimentId,
      work: { kind },
      state: State.STATE_QUEUED,
      cacheKey: key,
    });
  const seeds = learnerSeeds(spec, required(spec.evaluation?.inits, "evaluation.inits"));
  return [
    plan("distill", { $case: "distill", value: {} }),
    plan("evaluate", { $case: "evaluate", value: { initSeeds: seeds, artifactId: "" } }),
    ...plannedBaselines(spec).map(({ name, work }) =>
      plan(name, { $case: "baseline", value: work }, cacheKey(spec, work, codeVersion)),
    ),
  ];
}

function plannedBaselines(spec: ExperimentSpec): { name: string; work: BaselineWork }[] {
  const count = required(spec.evaluation?.baselineInits, "evaluation.baseline_inits");
  const baselines = [
    { name: "full", kind: BaselineKind.BASELINE_KIND_FULL, enabled: spec.baseline?.full, count: 1 },
    {
      name: "random",
      kind: BaselineKind.BASELINE_KIND_RANDOM,
      enabled: spec.baseline?.random,
      count,
    },
    {
      name: "untrained",
      kind: BaselineKind.BASELINE_KIND_UNTRAINED,
      enabled: spec.baseline?.untrained,
      count,
    },
  ];
  return baselines
    .filter((baseline) => baseline.enabled)
    .map(({ name, kind, count }) => ({
      name,
      work: { kind, initSeeds: learnerSeeds(spec, count) },
    }));
}

function learnerSeeds(spec: ExperimentSpec, count: number): number[] {
  const seed = required(spec.seed, "seed");
  return spec.model?.init === Init.INIT_FIXED ? [seed] : initSeeds(seed, count);
}

function required(value: number | undefined, field: string): number {
  if (value !== undefined) return value;
  const message = `${field} must be set in a resolved spec`;
  throw new StillhouseError(FailureKind.FAILURE_KIND_INVALID, message, { field });
}
