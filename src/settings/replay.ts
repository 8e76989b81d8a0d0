import { invalid } from "../errors.js";
import {
  AttentionLabels,
  DataPart,
  type ExperimentSpec,
  Init,
  Objective,
  ReplayBenchmark,
  ReplayMethod,
  ReplaySpec,
} from "../generated/stillhouse/v1/spec.js";
import { BASELINE_PATHS } from "./baseline-fields.js";
import type { Facts } from "./facts.js";
import { type FieldValue, readField } from "./field-path.js";
import { CLASSES_PER_TASK, NUM_PERMUTATIONS, trainingValues } from "./replay-values.js";

/** Orders of pixels: task k has the order of this seed plus k, as in the published code. */
const FIRST_PERMUTATION = 1234;
const MAX_SEEDS = 100;
const MAX_TASKS = 100;
const MAX_COUNT = 1_000_000;
const MAX_UINT32 = 2 ** 32 - 1;

type Dataset = Facts["dataset"];

/** Fields that continual learning has one value for, and why. */
const FIXED: readonly (readonly [path: string, flag: string, value: FieldValue, why: string])[] = [
  ["model.init", "--init", Init.RANDOM, "learners draw their start"],
  ["objective.kind", "--objective", Objective.BASIC, "learners are to be right on their tasks"],
  ["distilled.samples", "--samples", 0, "a memory has --per-class samples of each class"],
  ["distilled.sample_classes", "--sample-classes", "", "a memory has the classes of its task"],
  ["distilled.blocks", "--blocks", 1, "a memory is one block"],
  [
    "distilled.attention_labels",
    "--al",
    AttentionLabels.NONE,
    "batches of memories and real rows have no attention labels",
  ],
];

/** Rows of train that a distillation is of, which epochs count: those of a task. */
export function distilledRows({ replay }: ExperimentSpec, trainRows: number): number {
  const numParts = replay?.tasks.filter(({ classes }) => classes.length > 0).length ?? 0;
  return numParts === 0 ? trainRows : trainRows / numParts;
}

/**
 * A resolved request, given what was found.
 *
 * @param spec with the values of preset and draft
 * @throws StillhouseError INVALID that names the first field at fault
 */
export function resolveReplay(
  spec: ExperimentSpec,
  draft: ExperimentSpec,
  { dataset }: Facts,
): ReplaySpec | undefined {
  const asked = draft.replay;
  if (asked === undefined) return undefined;
  refuseUnfit(draft);
  const ofImages = Boolean(dataset.image);
  const own = trainingValues(spec, asked.benchmark, ofImages);
  const isCounted = asked.steps > 0 || asked.epochs > 0;
  const replay = ReplaySpec.fromPartial({
    ...asked,
    ...division(asked, dataset),
    methods: asked.methods.length > 0 ? asked.methods : [...REPLAY_METHODS],
    seeds: asked.seeds.length > 0 ? asked.seeds : [0, 1, 2],
    steps: isCounted ? asked.steps : own.steps,
    epochs: isCounted ? asked.epochs : own.epochs,
    batchSize: asked.batchSize || own.batchSize,
    lr: asked.lr || own.lr,
  });
  const tasks = asked.tasks.length > 0 ? asked.tasks : tasksOf(replay, dataset);
  return { ...replay, tasks };
}

/** In the order in which they are shown. */
export const REPLAY_METHODS: readonly ReplayMethod[] = [
  ReplayMethod.NAIVE,
  ReplayMethod.SIMPLE,
  ReplayMethod.DISTILLED,
  ReplayMethod.JOINT,
];

function refuseUnfit(draft: ExperimentSpec): void {
  if (draft.robustness !== undefined) {
    throw invalid(
      "robustness",
      "robustness is measured on the whole data set, and the memories of continual learning are of " +
        "parts of it",
    );
  }
  for (const [path, flag, value, why] of FIXED) {
    const given = readField(draft, path);
    const isUnset = given === undefined || String(given).endsWith("_UNSPECIFIED");
    if (isUnset || given === value) continue;
    throw invalid(path, `${flag} (${path}) is not for continual learning: ${why}, got ${given}`);
  }
  const baseline = BASELINE_PATHS.find((path) => readField(draft, path) === true);
  if (baseline !== undefined) {
    throw invalid(
      baseline,
      `--baselines (${baseline}) are not for continual learning, whose methods are its baselines`,
    );
  }
}

function isPermuted({ benchmark }: ReplaySpec): boolean {
  return benchmark === ReplayBenchmark.PERMUTED_MNIST;
}

/** How the data set becomes tasks, where the draft leaves it open. */
function division(asked: ReplaySpec, dataset: Dataset): Partial<ReplaySpec> {
  const ordersPixels = asked.tasks.some(({ permutationSeed }) => permutationSeed !== undefined);
  if ((isPermuted(asked) || ordersPixels) && !dataset.image) {
    throw invalid("replay.benchmark", `pixels are permuted, and ${dataset.name} holds texts`);
  }
  if (isPermuted(asked)) {
    if (asked.classesPerTask > 0 || asked.classOrder.length > 0) {
      throw invalid(
        "replay.classes_per_task",
        "--classes-per-task and --class-order are for tasks that split classes",
      );
    }
    return { numPermutations: asked.numPermutations || NUM_PERMUTATIONS };
  }
  if (asked.numPermutations > 0) {
    throw invalid(
      "replay.num_permutations",
      `--num-tasks (replay.num_permutations) is for permuted pixels, got ${asked.numPermutations}`,
    );
  }
  return { classesPerTask: asked.classesPerTask || CLASSES_PER_TASK };
}

function tasksOf(replay: ReplaySpec, { class_names: names, name }: Dataset): DataPart[] {
  if (isPermuted(replay)) {
    return Array.from({ length: replay.numPermutations }, (_, at) =>
      DataPart.fromPartial({ classes: [], permutationSeed: FIRST_PERMUTATION + at }),
    );
  }
  const all = names.map((_, at) => at);
  const order = replay.classOrder.length > 0 ? replay.classOrder : all;
  const isOrder = new Set(order).size === order.length && order.every((at) => at < names.length);
  if (!isOrder || order.length < 2) {
    throw invalid(
      "replay.class_order",
      `--class-order (replay.class_order) must be two or more distinct numbers of classes of ${name}, ` +
        `0 to ${names.length - 1}, got ${order.join(",")}`,
    );
  }
  const size = replay.classesPerTask;
  const count = Math.ceil(order.length / size);
  return Array.from({ length: count }, (_, at) =>
    DataPart.fromPartial({ classes: order.slice(at * size, (at + 1) * size) }),
  );
}

/**
 * Checks a resolved request.
 *
 * @throws StillhouseError INVALID that names the first field at fault
 */
export function validateReplay({ replay, evaluation }: ExperimentSpec, numClasses: number): void {
  if (replay === undefined) return;
  const { tasks, methods, seeds, steps, epochs, batchSize, lr } = replay;
  checkTasks(replay, numClasses);
  const isKnown = (method: ReplayMethod) =>
    method !== ReplayMethod.UNSPECIFIED && method !== ReplayMethod.UNRECOGNIZED;
  checkList(
    "methods",
    methods,
    methods.every(isKnown),
    REPLAY_METHODS.length,
    "known and distinct",
  );
  const isSeed = (seed: number) => Number.isInteger(seed) && seed >= 0 && seed <= MAX_UINT32;
  checkList("seeds", seeds, seeds.every(isSeed), MAX_SEEDS, `distinct, from 0 to ${MAX_UINT32}`);
  checkCounts(steps, epochs);
  if (!Number.isInteger(batchSize) || batchSize < tasks.length || batchSize > MAX_COUNT) {
    throw invalid(
      "replay.batch_size",
      `--task-batch-size (replay.batch_size) must be at least ${tasks.length}, a sample of each ` +
        `task, and at most ${MAX_COUNT}, got ${batchSize}`,
    );
  }
  if (!(lr > 0 && Number.isFinite(lr))) {
    throw invalid("replay.lr", `--task-lr (replay.lr) must be > 0 and finite, got ${lr}`);
  }
  if ((evaluation?.inits ?? 0) < 1) {
    throw invalid("evaluation.inits", "--inits (evaluation.inits) must be ≥ 1, got 0");
  }
}

function checkTasks({ tasks }: ReplaySpec, numClasses: number): void {
  if (tasks.length < 2 || tasks.length > MAX_TASKS) {
    throw invalid(
      "replay.tasks",
      `there must be 2 to ${MAX_TASKS} tasks (replay.tasks), got ${tasks.length}; ` +
        "--classes-per-task and --num-tasks change it",
    );
  }
  const unknown = tasks.flatMap(({ classes }) => classes).find((at) => at >= numClasses);
  if (unknown === undefined) return;
  throw invalid(
    "replay.tasks",
    `replay.tasks must have classes from 0 to ${numClasses - 1}, got ${unknown}`,
  );
}

function checkList<Item>(
  field: string,
  items: readonly Item[],
  areValid: boolean,
  most: number,
  words: string,
): void {
  const { length } = items;
  if (areValid && length >= 1 && length <= most && new Set(items).size === length) return;
  throw invalid(
    `replay.${field}`,
    `--${field} (replay.${field}) must be 1 to ${most}, ${words}, got ${items.join(",") || "none"}`,
  );
}

function checkCounts(steps: number, epochs: number): void {
  const isCount = (count: number) => Number.isInteger(count) && count >= 0 && count <= MAX_COUNT;
  if (isCount(steps) && isCount(epochs) && steps > 0 !== epochs > 0) return;
  throw invalid(
    "replay.steps",
    `one of --task-steps (replay.steps) and --task-epochs (replay.epochs) must be 1 to ${MAX_COUNT}, ` +
      `got ${steps} and ${epochs}`,
  );
}
