import { BASELINES, type Baseline } from "../../baselines.js";
import { invalid } from "../../errors.js";
import {
  BaselineKind,
  type BaselineWork,
  baselineKindFromJSON,
  State,
  Task,
  type Variation,
  type Work,
} from "../../generated/stillhouse/v1/experiment.js";
import { type ExperimentSpec, Init } from "../../generated/stillhouse/v1/spec.js";
import { hasTeacher } from "../../settings/teacher.js";
import { cacheKeysOf, hasOwnHead, SHARED_SEED } from "./cache-key.js";
import { initSeeds } from "./init-seeds.js";
import { isStarted, numPretrainings, pretrainings, teacherTraining } from "./pool-plan.js";
import { numReplayTasks, replayWork } from "./replay-plan.js";
import { numShards, shardsOf } from "./shards.js";
import { variationsOf } from "./variations.js";

/**
 * The tasks of an experiment in the order in which they are dispatched: the baselines that take a
 * minute, the training of a teacher, the pretraining of a pool in shards, the distillation, the evaluation in shards, then the
 * other enabled baselines. Without test learners there are only the baselines, and without those only the distillation. If the
 * robustness of distilled data is asked for, nothing is distilled, and each variation has an
 * evaluation too. Ids follow from the experiment's, so a plan is repeatable.
 *
 * Continual learning has tasks of its own, see `replayWork`.
 *
 * With a fixed init all test learners are the same, so there is one, and its seed is the
 * experiment's, from which the distillation drew that head.
 *
 * @param spec resolved
 * @param codeVersion see `cacheKey`
 */
export function planTasks(spec: ExperimentSpec, experimentId: string, codeVersion: string): Task[] {
  const keyOf = cacheKeysOf(spec, codeVersion);
  const plan = (name: string, kind: NonNullable<Work["kind"]>) =>
    Task.fromPartial({
      id: `${experimentId}-${name}`,
      experimentId,
      work: { kind },
      state: State.QUEUED,
      cacheKey: keyOf(kind),
    });
  if (spec.replay) return replayWork(spec, spec.replay).map(({ name, kind }) => plan(name, kind));
  const count = required(spec.evaluation?.inits, "evaluation.inits");
  const shards = shardsOf(count > 0 ? learnerSeeds(spec, count) : []);
  const artifactId = spec.robustness?.artifactId ?? "";
  const evaluation = (variation?: Variation) =>
    shards.map((initSeeds, at) => {
      const name = ["evaluate", variation?.name, shards.length > 1 ? at + 1 : undefined];
      return plan(name.filter((part) => part !== undefined).join("-"), {
        $case: "evaluate",
        value: { initSeeds, artifactId, variation },
      });
    });
  const baselines = plannedBaselines(spec);
  const planned = (those: typeof baselines) =>
    those.map(({ name, work }) => plan(name, { $case: "baseline", value: work }));
  const isDistilled = distils(spec, count, baselines.length);
  const tested = [...shards.flat(), ...seedsFromPool(baselines)];
  const trained = pretrainings(spec, isDistilled, [...new Set(tested)]);
  const [teacherSeed = 0] = sharedSeeds(spec, 1);
  const teacher = teacherTraining(spec, isDistilled, teacherSeed);
  return [
    ...planned(baselines.filter(({ isQuick }) => isQuick)),
    ...(teacher ? [plan("teacher", { $case: "pretrain", value: teacher })] : []),
    ...trained.map((value, at) => plan(`pretrain-${at + 1}`, { $case: "pretrain", value })),
    ...(isDistilled
      ? [plan("distill", { $case: "distill", value: { part: undefined, seed: 0 } })]
      : []),
    ...evaluation(),
    ...variationsOf(spec).flatMap(evaluation),
    ...planned(baselines.filter(({ isQuick }) => !isQuick)),
  ];
}

/** How many tasks `planTasks` makes, without making them. @param spec resolved */
export function countTasks(spec: ExperimentSpec): number {
  if (spec.replay) return numReplayTasks(spec, spec.replay);
  const count = required(spec.evaluation?.inits, "evaluation.inits");
  const isFixed = spec.model?.init === Init.FIXED;
  const shards = numShards(isFixed ? Math.min(count, 1) : count);
  const wanted = wantedBaselines(spec);
  const further = wanted.some(({ id }) => id === "full") ? numFullLearners(spec) - 1 : 0;
  const baselines = wanted.length + further;
  const evaluations = shards * (1 + variationsOf(spec).length);
  const isDistilled = distils(spec, count, baselines);
  // Seeds of baselines and of test learners are the first of one list.
  const numTested = Math.max(count, seedsFromPool(plannedBaselines(spec)).length);
  const trainings = numPretrainings(spec, isDistilled, numTested);
  const teachers = Number(isDistilled && hasTeacher(spec));
  return Number(isDistilled) + teachers + trainings + evaluations + baselines;
}

/** Seeds of those learners of baselines that start from a pool, each once. */
function seedsFromPool(baselines: readonly PlannedBaseline[]): number[] {
  const own = baselines.filter(({ work: value }) => isStarted({ $case: "baseline", value }));
  return [...new Set(own.flatMap(({ work }) => work.initSeeds))];
}

function distils({ robustness }: ExperimentSpec, numLearners: number, numBaselines: number) {
  return robustness === undefined && (numLearners > 0 || numBaselines === 0);
}

/** Id of the experiment that the task with this id belongs to. */
export function experimentIdOf(taskId: string): string {
  // The name of a task may have hyphens of its own; the id of an experiment has none.
  return taskId.slice(0, Math.max(0, taskId.indexOf("-")));
}

interface PlannedBaseline {
  readonly name: string;
  readonly work: BaselineWork;
  readonly isQuick: boolean;
}

function plannedBaselines(spec: ExperimentSpec): PlannedBaseline[] {
  return wantedBaselines(spec).flatMap((baseline) => {
    const kind = baselineKindFromJSON(baseline.kind);
    const work = { kind, initSeeds: seedsOf(baseline, spec), takesLr: false, lr: 0 };
    const isQuick = "isQuick" in baseline && baseline.isQuick;
    if (kind !== BaselineKind.FULL) return [{ name: baseline.id, isQuick, work }];
    return fullLearners(spec).map((initSeed, at) => ({
      name: at === 0 ? baseline.id : `${baseline.id}-${at + 1}`,
      isQuick,
      // The first one searches the rate, so that a plan with one learner has the same task.
      work: { ...work, initSeeds: [initSeed], takesLr: at > 0 && spec.baseline?.fullLr === 0 },
    }));
  });
}

/** Seeds of the learners that are trained on full data, each by a task of its own. */
function fullLearners(spec: ExperimentSpec): number[] {
  return sharedSeeds(spec, numFullLearners(spec));
}

/** One in specs from before it was a setting. */
function numFullLearners({ baseline, model }: ExperimentSpec): number {
  const count = baseline?.fullInits ?? 1;
  return model?.init === Init.FIXED ? Math.min(count, 1) : count;
}

function wantedBaselines({ baseline }: ExperimentSpec) {
  return BASELINES.filter(({ field }) => baseline?.[field]);
}

function seedsOf({ seeds }: Baseline, spec: ExperimentSpec): number[] {
  const count = required(spec.evaluation?.baselineInits, "evaluation.baseline_inits");
  switch (seeds) {
    case "shared":
      return sharedSeeds(spec, 1);
    case "of test learners":
      return learnerSeeds(spec, count);
    case "all distinct":
      return initSeeds(required(spec.seed, "seed"), count);
  }
}

/** Those of an experiment with the usual seed; its own head is that of the experiment. */
function sharedSeeds(spec: ExperimentSpec, count: number): number[] {
  return learnerSeeds(hasOwnHead(spec) ? spec : { ...spec, seed: SHARED_SEED }, count);
}

function learnerSeeds(spec: ExperimentSpec, count: number): number[] {
  const seed = required(spec.seed, "seed");
  return spec.model?.init === Init.FIXED ? [seed] : initSeeds(seed, count);
}

function required(value: number | undefined, field: string): number {
  if (value !== undefined) return value;
  const message = `${field} must be set in a resolved spec`;
  throw invalid(field, message);
}
