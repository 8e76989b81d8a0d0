import {
  AttentionLabels,
  type ExperimentSpec,
  Labels,
  LearnLr,
  LrSchedule,
  OuterOptimiser,
  Protocol,
  ReplayBenchmark,
  type ReplaySpec,
  XInit,
} from "../generated/stillhouse/v1/spec.js";
import { NO_BASELINES } from "./baseline-fields.js";
import { type FieldValue, writeField } from "./field-path.js";
import { isCutToCpu } from "./preset-names.js";

/** What a benchmark is called, and the data set and the learner that it is of. */
export interface Benchmark {
  readonly benchmark: ReplayBenchmark;
  readonly dataset: string;
  readonly model: string;
  /** Classes in the order in which they come; empty: by their numbers. */
  readonly classOrder: readonly number[];
}

/** Those of Rosasco et al. (2021), by the words for `--tasks`. */
export const BENCHMARKS: ReadonlyMap<string, Benchmark> = new Map([
  ["split-mnist", of(ReplayBenchmark.SPLIT_MNIST, "mnist", "lenet5")],
  ["permuted-mnist", of(ReplayBenchmark.PERMUTED_MNIST, "mnist", "mlp-500")],
  [
    "split-fashion",
    of(ReplayBenchmark.SPLIT_FASHION, "fashion_mnist", "lenet5", [9, 8, 7, 6, 5, 4, 3, 2, 1, 0]),
  ],
  ["split-cifar10", of(ReplayBenchmark.SPLIT_CIFAR10, "cifar10", "lenet5")],
]);

function of(
  benchmark: ReplayBenchmark,
  dataset: string,
  model: string,
  classOrder: readonly number[] = [],
): Benchmark {
  return { benchmark, dataset, model, classOrder };
}

/** How learners meet the tasks of a benchmark, and how its memories are distilled. */
interface BenchmarkValues {
  readonly training: Pick<ReplaySpec, "steps" | "epochs" | "batchSize" | "lr">;
  readonly innerSteps: number;
  /** Passes over the rows of a task, of the published distillation. */
  readonly outerEpochs: number;
}

const SPLIT_MNIST: BenchmarkValues = {
  training: { steps: 80, epochs: 0, batchSize: 128, lr: 0.05 },
  innerSteps: 30,
  outerEpochs: 70,
};

/** What Rosasco et al. (2021) have in their configurations. */
const PUBLISHED: ReadonlyMap<ReplayBenchmark, BenchmarkValues> = new Map([
  [ReplayBenchmark.SPLIT_MNIST, SPLIT_MNIST],
  [ReplayBenchmark.SPLIT_FASHION, SPLIT_MNIST],
  [
    ReplayBenchmark.PERMUTED_MNIST,
    {
      training: { steps: 0, epochs: 3, batchSize: 128, lr: 0.05 },
      innerSteps: 3,
      outerEpochs: 80,
    },
  ],
  [
    ReplayBenchmark.SPLIT_CIFAR10,
    {
      training: { steps: 40, epochs: 0, batchSize: 1024, lr: 0.05 },
      innerSteps: 20,
      outerEpochs: 80,
    },
  ],
]);

/** Rate of an inner step, and the outer rate of plain SGD, in all of their configurations. */
const INNER_LR = 0.05;
const OUTER_LR = 0.1;
const INITS = 10;
/** Nothing is chosen by them: they show that a distillation goes on well. */
const VALIDATIONS = 5;

/** In preset `cpu`: a hundredth of the updates, by Adam, over a third of the inner steps. */
const CPU_OUTER_STEPS = 200;
const CPU_OUTER_LR = 0.05;
const CPU_MAX_INNER_STEPS = 10;
const CPU_INITS = 5;
/** Three passes over ten times all of MNIST take hours of a CPU. */
const CPU_TASK_STEPS = 80;

/** Of texts, which they have none of: fewer rows per step, for learners that are pretrained. */
const TEXT_TRAINING = { steps: 80, epochs: 0, batchSize: 32, lr: 0.05 };
const TEXT_INNER_STEPS = 5;

/** Tasks whose pixels are permuted, by default, and classes per task that are split. */
export const NUM_PERMUTATIONS = 10;
export const CLASSES_PER_TASK = 2;

/**
 * Gives a preset's values those of continual learning on a benchmark.
 *
 * @param spec with the values of a preset
 * @param ofImages whether the data set holds images
 */
export function writeReplayValues(
  spec: ExperimentSpec,
  benchmark: ReplayBenchmark,
  ofImages: boolean,
): void {
  for (const [path, value] of NO_BASELINES) writeField(spec, path, value);
  for (const [path, value] of distillationValues(spec, benchmark, ofImages)) {
    writeField(spec, path, value);
  }
}

/** How a learner is trained per task. */
export function trainingValues(
  { preset }: ExperimentSpec,
  benchmark: ReplayBenchmark,
  ofImages: boolean,
): BenchmarkValues["training"] {
  if (!ofImages) return TEXT_TRAINING;
  const { training } = valuesOf(benchmark);
  return isCutToCpu(preset) && training.epochs > 0
    ? { ...training, steps: CPU_TASK_STEPS, epochs: 0 }
    : training;
}

function valuesOf(benchmark: ReplayBenchmark): BenchmarkValues {
  return PUBLISHED.get(benchmark) ?? SPLIT_MNIST;
}

/** Everything about the memories that continual learning has otherwise than its preset. */
function distillationValues(
  spec: ExperimentSpec,
  benchmark: ReplayBenchmark,
  ofImages: boolean,
): [string, FieldValue][] {
  const isCpu = isCutToCpu(spec.preset);
  const { innerSteps, outerEpochs } = valuesOf(benchmark);
  const imageSteps = isCpu ? Math.min(innerSteps, CPU_MAX_INNER_STEPS) : innerSteps;
  const steps = ofImages ? imageSteps : TEXT_INNER_STEPS;
  return [
    ["distilled.per_class", 1],
    ["distilled.x_init", XInit.REAL],
    ["distilled.labels", Labels.HARD],
    ["distilled.attention_labels", AttentionLabels.NONE],
    ["inner.steps", steps],
    ["inner.passes", steps],
    ["inner.lr", INNER_LR],
    ["inner.lr_decay", 1],
    ["inner.learn_lr", LearnLr.NONE],
    ["inner.encoder_lr_scale", 0],
    ["outer.accumulate_loss", true],
    ["outer.inits_per_step", 1],
    // The step is the last one, as theirs: validation would choose for one task alone.
    ["evaluation.protocol", Protocol.PAPER],
    ["outer.validations", VALIDATIONS],
    ["evaluation.inits", isCpu ? CPU_INITS : INITS],
    ...(ofImages ? outerValues(isCpu, outerEpochs) : textOuterValues(isCpu)),
  ];
}

function outerValues(isCpu: boolean, epochs: number): [string, FieldValue][] {
  return [
    ["outer.optimiser", isCpu ? OuterOptimiser.ADAM : OuterOptimiser.SGD],
    ["outer.lr", isCpu ? CPU_OUTER_LR : OUTER_LR],
    ["outer.momentum", 0],
    ["outer.lr_schedule", LrSchedule.CONSTANT],
    ["outer.warmup_fraction", 0],
    ["outer.clip", 0],
    ["outer.batch_size", 128],
    ["outer.epochs", isCpu ? 0 : epochs],
    ...(isCpu ? [["outer.steps", CPU_OUTER_STEPS] as [string, FieldValue]] : []),
  ];
}

/** The rest is as the preset has it for texts. */
function textOuterValues(isCpu: boolean): [string, FieldValue][] {
  if (!isCpu) return [];
  return [
    ["outer.epochs", 0],
    ["outer.steps", CPU_OUTER_STEPS],
  ];
}
