import { createHash } from "node:crypto";
import { baselineOfKind, startsFromPool } from "../../baselines.js";
import {
  BaselineKind,
  type BaselineWork,
  type PretrainWork,
  type ReplayWork,
  type Variation,
  type Work,
} from "../../generated/stillhouse/v1/experiment.js";
import {
  type ExperimentSpec,
  Init,
  ReplayMethod,
  type RobustnessSpec,
} from "../../generated/stillhouse/v1/spec.js";
import { formerChoices } from "../../settings/earlier-spec.js";
import { keyOf, readField } from "../../settings/field-path.js";
import { isAttack } from "../../settings/objective.js";
import { isPooled } from "../../settings/pool.js";
import { hasTeacher } from "../../settings/teacher.js";
import { isStarted } from "./pool-plan.js";

/**
 * Hash of everything that determines the result of a task: an equal task of another experiment
 * reuses the result, and a task that differs in any of it never does.
 *
 * @param spec resolved
 * @param codeVersion hash over what computes: the sources of the worker and its lock file
 * @returns SHA-256 as 64 hexadecimal digits
 */
export function cacheKey(
  spec: ExperimentSpec,
  work: NonNullable<Work["kind"]>,
  codeVersion: string,
): string {
  return cacheKeysOf(spec, codeVersion)(work);
}

/** Like `cacheKey`, for many tasks of one spec, whose common parts are hashed only once. */
export function cacheKeysOf(
  spec: ExperimentSpec,
  codeVersion: string,
): (work: NonNullable<Work["kind"]>) => string {
  const shared: Part[] = [["code_version", codeVersion], ...subjectParts(spec)];
  const drawn = { ...spec, model: { ...spec.model, init: Init.RANDOM } as ExperimentSpec["model"] };
  const ofDrawn: Part[] = [["code_version", codeVersion], ...subjectParts(drawn)];
  const ofPool: Part[] = [["code_version", codeVersion], ...pretrainParts(spec)];
  const subject = (work: NonNullable<Work["kind"]>) => {
    if (work.$case === "pretrain" && !work.value.teacher) return ofPool;
    // A pool is nothing to those that do not start from it.
    return isPooled(spec) && !isStarted(work) ? ofDrawn : shared;
  };
  const distilled = distillParts(spec);
  return (work) => {
    const seed: Part = ["seed", isShared(spec, work) ? SHARED_SEED : seedOf(spec, work)];
    const parts = [...subject(work), seed, ...workParts(spec, work, distilled)];
    // Pairs in a fixed order; JSON keeps every digit of a double.
    return createHash("sha256").update(JSON.stringify(parts)).digest("hex");
  };
}

function seedOf(spec: ExperimentSpec, work: NonNullable<Work["kind"]>): number | undefined {
  return work.$case === "distill" && work.value.part ? work.value.seed : spec.seed;
}

type Part = readonly [name: string, value: unknown];

function workParts(
  spec: ExperimentSpec,
  work: NonNullable<Work["kind"]>,
  distilled: readonly Part[],
): Part[] {
  switch (work.$case) {
    case "pretrain":
      return pretrainingParts(spec, work.value);
    case "distill":
      return [["kind", "distill"], ...distilled, ...groupParts("part", work.value.part)];
    case "replay":
      return [["kind", "replay"], ...replayParts(spec, work.value, distilled)];
    case "evaluate":
      return [
        ["kind", "evaluate"],
        ...(spec.robustness ? artifactParts(spec.robustness) : distilled),
        ...variationParts(work.value.variation),
        ["init_seeds", work.value.initSeeds],
      ];
    case "baseline":
      return [
        ["kind", work.value.kind],
        ["init_seeds", work.value.initSeeds],
        ...baselineParts(spec, work.value),
      ];
  }
}

function pretrainingParts(
  spec: ExperimentSpec,
  { teacher, members, initSeeds }: PretrainWork,
): Part[] {
  const learners = groupParts("learners", { members, initSeeds });
  if (!teacher) return [["kind", "pretrain"], ...learners];
  return [["kind", "teacher"], ...learners, ...fullDataParts(spec)];
}

/** What a teacher is trained by: all that the full-data baseline is, and which epoch is kept. */
function fullDataParts(spec: ExperimentSpec): Part[] {
  return baselinePartsOf(spec, BaselineKind.FULL);
}

/** Data, model and device, which every task depends on. */
function subjectParts(spec: ExperimentSpec): Part[] {
  return [
    ["dataset.fingerprint", spec.dataset?.fingerprint],
    ["dataset.max_length", spec.dataset?.maxLength],
    ["dataset.validation_fraction", spec.dataset?.validationFraction],
    ["model.fingerprint", spec.model?.fingerprint],
    ["model.head_init", spec.model?.headInit],
    ["model.init", spec.model?.init],
    ["model.pooling", spec.model?.pooling],
    ...embeddingsParts(spec),
    ["compute.precision", spec.compute?.precision],
    // The kind of device: another card of the same kind counts as the same.
    ["compute.device", spec.compute?.device?.split(":")[0]],
  ];
}

/** Word vectors are identified by their fingerprint; a model that takes none has no such part. */
function embeddingsParts({ model }: ExperimentSpec): Part[] {
  const { fingerprint } = model?.embeddingsFound ?? {};
  return fingerprint ? [["model.embeddings", fingerprint]] : [];
}

/** The seed of what does not depend on that of the experiment: the default one. */
export const SHARED_SEED = 0;

/** Whether all learners start with one head, which follows from the seed of the experiment. */
export function hasOwnHead({ model }: ExperimentSpec): boolean {
  return model?.init === Init.FIXED;
}

/** Whether experiments with other seeds have the same task. */
function isShared(spec: ExperimentSpec, work: NonNullable<Work["kind"]>): boolean {
  // Seeds of held-out learners are parts of their own, and members have the same in all experiments.
  if (work.$case === "pretrain" || work.$case === "replay") return true;
  const baseline = work.$case === "baseline" ? baselineOfKind(work.value.kind) : undefined;
  return baseline?.seeds === "shared" && !hasOwnHead(spec);
}

/** Fields of `outer` that affect only memory or time; and epochs, which steps replace. */
const WITHOUT_EFFECT = [
  "trajectoryMib",
  "hostTrajectoryMib",
  "activationMib",
  "epochs",
  "lrDecayEpochs",
];

function distillParts(spec: ExperimentSpec): Part[] {
  const former = new Set([...formerChoices(spec)].map(keyOf));
  const groups = [
    ...groupParts("distilled", spec.distilled),
    ...groupParts("inner", spec.inner),
    ...groupParts("outer", spec.outer).filter(([name]) => !WITHOUT_EFFECT.includes(fieldOf(name))),
  ];
  return [
    ...groups.filter(([name]) => !former.has(name)),
    ...startParts(spec),
    ...(hasTeacher(spec) ? fullDataParts(spec) : []),
    // Which step is kept.
    ["evaluation.protocol", spec.evaluation?.protocol],
    // Processes that share a step add up in another order.
    ["compute.num_devices", spec.compute?.numDevices],
  ];
}

/** How learners of a pool are trained, and on what, where that is not the data set itself. */
function poolParts(spec: ExperimentSpec): Part[] {
  const source = spec.objective?.sourceFingerprint;
  const own: Part[] = source ? [["objective.source_fingerprint", source]] : [];
  return [...trainingParts(spec), ...own];
}

function trainingParts({ pool, outer }: ExperimentSpec): Part[] {
  const training = groupParts("pool", pool).filter(([name]) => name !== "pool.size");
  return [...training, ["outer.augmentation", outer?.augmentation]];
}

/**
 * What distinguishes the training of a pool: it knows nothing of the data set that the distillation
 * is on, but for the shape of its images, if it is on another one.
 */
function pretrainParts(spec: ExperimentSpec): Part[] {
  const { fingerprint, found } = spec.dataset ?? {};
  const trainedOn = spec.objective?.sourceFingerprint || fingerprint;
  const own = subjectParts(spec).filter(([name]) => name !== "dataset.fingerprint");
  return [
    ...own,
    ["dataset.fingerprint", trainedOn],
    ["dataset.image", found?.image],
    ...trainingParts(spec),
  ];
}

/** What the learners of a pool depend on; nothing where there is none. */
function startParts(spec: ExperimentSpec): Part[] {
  if (!isPooled(spec)) return [];
  return [...poolParts(spec), ["pool.size", spec.pool?.size], ...attackParts(spec)];
}

/** What an attack wants; nothing of an objective that is none. */
function attackParts(spec: ExperimentSpec): Part[] {
  if (!isAttack(spec)) return [];
  const { attackClass, targetClass } = spec.objective ?? {};
  return [["objective.attack", [attackClass, targetClass]]];
}

/** The same bytes are the same data, however they came about. */
function artifactParts({ artifactSha256 }: RobustnessSpec): Part[] {
  return [["artifact", artifactSha256]];
}

/** Memories that nobody draws depend on no seed but that of the learners. */
function replayParts(
  spec: ExperimentSpec,
  { method, seed, initSeeds }: ReplayWork,
  distilled: readonly Part[],
): Part[] {
  const { tasks, steps, epochs, batchSize, lr } = spec.replay ?? {};
  const training = groupParts("replay", { tasks, steps, epochs, batchSize, lr });
  const own: Part[] = [...training, ["method", method], ["init_seeds", initSeeds]];
  if (method === ReplayMethod.DISTILLED) return [...own, ["seed", seed], ...distilled];
  if (method !== ReplayMethod.SIMPLE) return own;
  const { perClass, seqLen } = spec.distilled ?? {};
  return [...own, ["seed", seed], ...groupParts("distilled", { perClass, seqLen })];
}

/** Everything except names: an encoder is identified by its fingerprint. */
function variationParts(variation: Variation | undefined): Part[] {
  if (variation === undefined) return [];
  const { name: _, transferTo, ...settings } = variation;
  return [...groupParts("variation", settings), ["variation.model", transferTo?.fingerprint]];
}

function groupParts(group: string, values: object | undefined): Part[] {
  const parts = Object.entries(values ?? {}).map(
    ([name, value]): Part => [`${group}.${name}`, value],
  );
  return parts.sort(([a], [b]) => (a < b ? -1 : 1));
}

function fieldOf(name: string): string {
  return name.slice(name.indexOf(".") + 1);
}

/** The rate that a task takes over follows from what the task that finds it has in common. */
function baselineParts(spec: ExperimentSpec, { kind, takesLr }: BaselineWork): Part[] {
  const parts = baselinePartsOf(spec, kind);
  const start = startsFromPool(kind) && isPooled(spec) ? poolParts(spec) : [];
  return [...parts, ...start, ...(takesLr ? [["takes_lr", true] as const] : [])];
}

function baselinePartsOf(spec: ExperimentSpec, kind: BaselineKind): Part[] {
  const former = formerChoices(spec);
  return (baselineOfKind(kind)?.cacheParts ?? [])
    .filter((field) => !former.has(field))
    .map((field): Part => [field, readField(spec, field)]);
}
