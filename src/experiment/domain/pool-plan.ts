import { startsFromPool } from "../../baselines.js";
import type { PretrainWork, Task, Work } from "../../generated/stillhouse/v1/experiment.js";
import type { ExperimentSpec } from "../../generated/stillhouse/v1/spec.js";
import { isPooled } from "../../settings/pool.js";
import { hasTeacher } from "../../settings/teacher.js";
import { numShards, shardsOf } from "./shards.js";

/** The work of a task, and what of the pool its learners start from. */
type Kind = NonNullable<Work["kind"]>;

/**
 * The trainings of a pool: the members that the outer steps draw from, and a learner that is held
 * out for each test learner, in shards that different workers can run.
 *
 * @param spec resolved
 * @param distils whether there is a distillation, which alone needs the members
 * @param testSeeds of all test learners that start from the pool
 */
export function pretrainings(
  spec: ExperimentSpec,
  distils: boolean,
  testSeeds: readonly number[],
): PretrainWork[] {
  if (!isPooled(spec)) return [];
  const teacher = false;
  const members = Array.from({ length: distils ? (spec.pool?.size ?? 0) : 0 }, (_, at) => at);
  return [
    ...shardsOf(members).map((shard) => ({ members: shard, initSeeds: [], teacher })),
    ...shardsOf(testSeeds).map((shard) => ({ members: [], initSeeds: shard, teacher })),
  ];
}

/** How many `pretrainings` there are, for as many test learners. */
export function numPretrainings(spec: ExperimentSpec, distils: boolean, numTested: number): number {
  if (!isPooled(spec)) return 0;
  return numShards(distils ? (spec.pool?.size ?? 0) : 0) + numShards(numTested);
}

/**
 * The training of the learner that gives labels of its inside; undefined where these are learned.
 *
 * @param initSeed of the learner
 */
export function teacherTraining(
  spec: ExperimentSpec,
  distils: boolean,
  initSeed: number,
): PretrainWork | undefined {
  if (!distils || !hasTeacher(spec)) return undefined;
  return { members: [], initSeeds: [initSeed], teacher: true };
}

/** Those of an experiment's tasks that train learners which a task starts from or learns from. */
export function poolTasksOf<Entry extends { readonly task: Task }>(
  task: Task,
  entries: readonly Entry[],
): Entry[] {
  const kind = task.work?.kind;
  if (kind === undefined || !isStarted(kind)) return [];
  const seeds = new Set(kind.$case === "distill" ? [] : kind.value.initSeeds);
  return entries.filter((entry) => {
    const trained = entry.task.work?.kind;
    if (trained?.$case !== "pretrain") return false;
    const { teacher, members } = trained.value;
    if (kind.$case === "distill") return teacher || members.length > 0;
    return !teacher && trained.value.initSeeds.some((seed) => seeds.has(seed));
  });
}

/** Whether learners of a task start from those of a pool where there is one. */
export function isStarted(kind: Kind): kind is Exclude<Kind, { $case: "pretrain" | "replay" }> {
  if (kind.$case === "pretrain" || kind.$case === "replay") return false;
  return kind.$case !== "baseline" || startsFromPool(kind.value.kind);
}
