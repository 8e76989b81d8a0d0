import { BASELINES, type BaselineField } from "../baselines.js";
import {
  AttentionInit,
  AttentionLabels,
  AttentionLoss,
  AttentionReduction,
  Augmentation,
  ExperimentSpec,
  FloatType,
  HeadInit,
  Init,
  InternalLabels,
  LabelInit,
  Labels,
  LearnLr,
  LrParametrisation,
  LrSchedule,
  Objective,
  OuterOptimiser,
  Pooling,
  Preset,
  Protocol,
  XInit,
} from "../generated/stillhouse/v1/spec.js";
import { acl2023, acl2023Cpu } from "./acl2023-presets.js";
import { writeDerived } from "./derived.js";
import { BETA1, BETA2, LR_DECAY } from "./earlier-spec.js";
import type { Facts } from "./facts.js";
import { NO_HIDDEN_LABELS } from "./hidden-settings.js";
import { isCutToCpu, isOfAcl2023, type KnownPreset } from "./preset-names.js";
import { softMnist, softMnistCpu } from "./soft-presets.js";
import { textRuns } from "./text-presets.js";
import {
  wangAdapt,
  wangAttack,
  wangCifar10,
  wangCifar10Cpu,
  wangCpu,
  wangMnist,
  wangMnistCpu,
} from "./wang-presets.js";

/** The study trains for 20 epochs. */
const STUDY_EPOCHS = 20;
/** One measurement per epoch of the study: few enough to be cheap, enough to choose from. */
const VALIDATIONS = 20;
/** Each takes as long as eight outer steps on a CPU. */
const LONG_VALIDATIONS = 10;
/** The study tests on 100 learners. */
const STUDY_INITS = 100;

/** S on a CPU: steps take a quarter less time than at 128, and the accuracy is higher. */
const CPU_SEQ_LEN = 64;
/** The study's rate is for 50,000 steps; a thirtieth of the steps needs a higher rate. */
const CPU_LR = 2e-2;
/** Tokens of a real text on a CPU: most news texts are no longer. */
const CPU_MAX_LENGTH = 64;
/** Three epochs and a half of a set with 20,000 rows: some twenty minutes of two CPU cores. */
const LONG_OUTER_STEPS = 1450;
/** A third of the processor time of `cpu-long`. */
const CPU_OUTER_STEPS = 700;
/** Half the texts take half the time, and heads and texts of a step are drawn anew as often. */
const CPU_BATCH_SIZE = 24;
/** Each takes as long as a dozen of these outer steps. */
const CPU_VALIDATIONS = 5;
/** The encoder's gradient comes through a head that is drawn; it is noise where the rate is high. */
const CPU_ENCODER_LR_SCALE = 0.06;
/** Each test learner reads the whole test split, which is most of the time of an evaluation. */
const LONG_INITS = 20;
const CPU_INITS = 10;
const CPU_BASELINE_INITS = 5;
/** At least as many steps of the full-data baseline, if that takes no more epochs than the study's. */
const CPU_FULL_STEPS = 400;
/** Whatever the size of the set. */
const STUDY_FULL_EPOCHS = 3;

/** Enough to distinguish a good step from a lucky head; together they read the split once. */
const VALIDATION_INITS = 8;
/** The same in all presets, since the rows are counted before a preset is chosen. */
export const VALIDATION_FRACTION = 0.05;
/** The same in all presets too; fingerprints from before it could be chosen assume this value. */
export const TEST_FRACTION = 0.2;
const SEED = 0;

/** Whether each baseline runs. */
const USUAL_BASELINES = Object.fromEntries(
  BASELINES.map(({ field, isUsual }) => [field, isUsual]),
) as Record<BaselineField, boolean>;

/** Of Wang et al. (2018). */
const POOL = { size: 200, epochs: 40, batchSize: 1024, lr: 2e-4, lrHalvingEpochs: 20 };
/** A few passes at a higher rate: some twenty seconds of a CPU core per LeNet on MNIST. */
const CPU_POOL = { size: 20, epochs: 3, batchSize: 128, lr: 1e-3, lrHalvingEpochs: 1 };

/** All values of a preset; the facts determine what no preset has. */
const STUDY: ExperimentSpec = ExperimentSpec.fromPartial({
  name: "",
  preset: Preset.STUDY,
  dataset: {
    maxLength: 512,
    textColumn: "",
    labelColumn: "",
    validationFraction: VALIDATION_FRACTION,
    testFraction: TEST_FRACTION,
  },
  model: { headInit: HeadInit.DEFAULT, init: Init.RANDOM },
  distilled: {
    perClass: 1,
    samples: 0,
    sampleClasses: "",
    blocks: 1,
    labelInit: LabelInit.ONE_HOT,
    seqLen: 512,
    xInit: XInit.NOISE,
    labels: Labels.HARD,
    attentionLabels: AttentionLabels.NONE,
    attentionReduction: AttentionReduction.ELEMENTWISE,
    attentionLoss: AttentionLoss.KL,
    attentionInit: AttentionInit.NOISE,
    ...NO_HIDDEN_LABELS,
    internalLabels: InternalLabels.LEARNED,
    artifactDtype: FloatType.FP32,
  },
  inner: {
    steps: 1,
    passes: 1,
    lr: 0.5,
    lrDecay: 1,
    learnLr: LearnLr.NONE,
    lrParametrisation: LrParametrisation.EXP,
    encoderLrScale: 0,
    dropout: 0,
  },
  outer: {
    epochs: STUDY_EPOCHS,
    lr: 2e-3,
    batchSize: 48,
    initsPerStep: 1,
    optimiser: OuterOptimiser.ADAM,
    beta1: BETA1,
    beta2: BETA2,
    momentum: 0,
    lrSchedule: LrSchedule.LINEAR,
    lrDecay: LR_DECAY,
    lrDecayEpochs: 0,
    clip: 1,
    warmupFraction: 0.1,
    accumulateLoss: false,
    window: 0,
    augmentation: Augmentation.NONE,
    validations: VALIDATIONS,
    validationInits: VALIDATION_INITS,
    metaGradient: "",
    // Seven copies of BERT-base, twenty-five of a MiniLM.
    trajectoryMib: 2048,
    // Some ten times as much, as hosts of GPUs have it.
    hostTrajectoryMib: 16_384,
    compile: false,
    // Two steps of DistilBERT at S = 512.
    activationMib: 4096,
  },
  evaluation: {
    protocol: Protocol.VALIDATION,
    inits: STUDY_INITS,
    baselineInits: STUDY_INITS,
  },
  baseline: {
    ...USUAL_BASELINES,
    fullEpochs: STUDY_FULL_EPOCHS,
    fullBatchSize: 48,
    fullLr: 2e-5,
    fullDropout: 0.1,
    fullInits: 1,
  },
  compute: { numDevices: 1 },
  pool: POOL,
  objective: {
    kind: Objective.BASIC,
    sourceName: "",
    sourceDir: "",
    sourceFingerprint: "",
    attackClass: 0,
    targetClass: 0,
  },
  seed: SEED,
});

/**
 * `study` cut to two CPU cores: S, outer steps, inits and the length of texts are smaller, and the
 * rates and λ are what that needs. The whole train and test split and the full-data baseline stay,
 * so its ratios are honest.
 */
const CPU_LONG: ExperimentSpec = {
  ...STUDY,
  preset: Preset.CPU_LONG,
  dataset: { ...filled(STUDY.dataset), maxLength: CPU_MAX_LENGTH },
  distilled: {
    ...filled(STUDY.distilled),
    seqLen: CPU_SEQ_LEN,
    // The mean over every element weighs the attention of a query by 1/S, so that the study's λ
    // drowns the labels where S is short; a sum over keys weighs it alike at every S.
    attentionReduction: AttentionReduction.KEYS,
    // A start that saves steps: 86.1 % instead of 84.3 % on validation after 450 of them (AG News,
    // MiniLM, unrestricted + cls).
    xInit: XInit.REAL,
  },
  // The rate that few steps need is not known beforehand: it is learned from the study's on.
  inner: { ...filled(STUDY.inner), learnLr: LearnLr.SHARED },
  outer: {
    ...filled(STUDY.outer),
    epochs: 0,
    steps: LONG_OUTER_STEPS,
    lr: CPU_LR,
    // What computing the outer batch in quarters saves: three steps of MiniLM at this S.
    activationMib: 176,
    validations: LONG_VALIDATIONS,
  },
  evaluation: {
    ...filled(STUDY.evaluation),
    inits: LONG_INITS,
    baselineInits: CPU_BASELINE_INITS,
  },
  baseline: {
    ...filled(STUDY.baseline),
    // It follows from the rows of train; see `presetFullEpochs`.
    fullEpochs: undefined,
    // The best of a few on validation.
    fullLr: 0,
  },
  pool: CPU_POOL,
};

/**
 * For a pretrained encoder a better start takes the place of most outer steps: see "Time to
 * accuracy" in docs/performance.md.
 */
const CPU: ExperimentSpec = {
  ...CPU_LONG,
  preset: Preset.CPU,
  distilled: {
    ...filled(CPU_LONG.distilled),
    xInit: XInit.CLASS_MEANS,
    attentionInit: AttentionInit.SAMPLES,
  },
  // From such a start the right rate follows from the encoder: it differs by two orders of magnitude.
  inner: { ...filled(CPU_LONG.inner), lr: 0, encoderLrScale: CPU_ENCODER_LR_SCALE },
  outer: {
    ...filled(CPU_LONG.outer),
    steps: CPU_OUTER_STEPS,
    batchSize: CPU_BATCH_SIZE,
    validations: CPU_VALIDATIONS,
  },
  evaluation: { ...filled(CPU_LONG.evaluation), inits: CPU_INITS },
};

/** Wang et al. and who follows them compare with these as well. */
const WANG_MNIST = wangMnist({
  ...STUDY,
  baseline: { ...filled(STUDY.baseline), kMeans: true, knn: true },
});
const WANG_CIFAR10 = wangCifar10(WANG_MNIST);
const SOFT_MNIST = softMnist(WANG_MNIST);
const WANG_ADAPT = wangAdapt(WANG_MNIST);
const WANG_ATTACK = wangAttack(WANG_MNIST);
const ACL2023 = acl2023(STUDY);

const VALUES: Readonly<Record<KnownPreset, ExperimentSpec>> = {
  [Preset.STUDY]: STUDY,
  [Preset.CPU]: CPU,
  [Preset.CPU_LONG]: CPU_LONG,
  [Preset.WANG_MNIST]: WANG_MNIST,
  [Preset.WANG_MNIST_CPU]: { ...wangMnistCpu(WANG_MNIST), pool: CPU_POOL },
  [Preset.WANG_CIFAR10]: WANG_CIFAR10,
  [Preset.WANG_CIFAR10_CPU]: { ...wangCifar10Cpu(WANG_CIFAR10), pool: CPU_POOL },
  [Preset.SOFT_MNIST]: SOFT_MNIST,
  [Preset.SOFT_MNIST_CPU]: { ...softMnistCpu(SOFT_MNIST), pool: CPU_POOL },
  [Preset.WANG_ADAPT]: WANG_ADAPT,
  [Preset.WANG_ADAPT_CPU]: { ...wangCpu(WANG_ADAPT, Preset.WANG_ADAPT_CPU), pool: CPU_POOL },
  [Preset.WANG_ATTACK]: WANG_ATTACK,
  [Preset.WANG_ATTACK_CPU]: { ...wangCpu(WANG_ATTACK, Preset.WANG_ATTACK_CPU), pool: CPU_POOL },
  ...textRuns(STUDY),
  [Preset.ACL2023]: ACL2023,
  [Preset.ACL2023_CPU]: acl2023Cpu(ACL2023, CPU_LONG),
};

/**
 * The values of a preset on a device.
 *
 * @param device absent for the values that do not depend on one; precisions and the meta-gradient's
 *   algorithm are then not set.
 * @param ofNetwork for a network of images or words, in which nothing is pretrained
 */
export function presetSpec(
  preset: KnownPreset,
  device?: Facts["device"],
  ofNetwork = false,
): ExperimentSpec {
  const isLong = ofNetwork && preset === Preset.CPU;
  const values = { ...structuredClone(VALUES[isLong ? Preset.CPU_LONG : preset]), preset };
  if (device !== undefined) {
    filled(values.compute).precision = defaultPrecision(preset, device);
    filled(values.inner).precision = innerPrecision(preset, device);
  }
  writeDerived(values, values);
  return values;
}

/**
 * Passes over train of the full-data baseline in preset `cpu`: with a searched rate one is enough
 * where it has hundreds of steps.
 *
 * @param spec with the size of its batches
 * @param numRows of train
 */
export function presetFullEpochs({ baseline }: ExperimentSpec, numRows: number): number {
  const stepsPerEpoch = Math.ceil(numRows / (baseline?.fullBatchSize || 1));
  return Math.min(STUDY_FULL_EPOCHS, Math.ceil(CPU_FULL_STEPS / stepsPerEpoch));
}

/** As the encoder was trained; the study and its successor take the first token of any encoder. */
export function presetPooling({ preset }: ExperimentSpec, model: Facts["model"]): Pooling {
  const isFirst = preset === Preset.STUDY || isOfAcl2023(preset);
  const isMean = !isFirst && model.pooling === "mean";
  return isMean ? Pooling.MEAN : Pooling.FIRST;
}

/**
 * The study's AMP is fp16 on CUDA, and its successor has none; elsewhere bf16 where it is fast, since
 * it needs no scaling.
 */
function defaultPrecision(preset: KnownPreset, device: Facts["device"]): FloatType {
  if (preset === Preset.STUDY && device.cuda) return FloatType.FP16;
  if (preset === Preset.ACL2023) return FloatType.FP32;
  return device.bf16 ? FloatType.BF16 : FloatType.FP32;
}

/**
 * The study's inner step is fp32. On a CPU with bf16 it is half of an outer step's time otherwise.
 */
function innerPrecision(preset: KnownPreset, device: Facts["device"]): FloatType {
  const fast = (isCutToCpu(preset) || preset === Preset.ACL2023_CPU) && device.bf16;
  return fast ? FloatType.BF16 : FloatType.FP32;
}

function filled<T>(group: T | undefined): T {
  if (group === undefined)
    throw new Error("a preset has no values for one of the groups of the spec");
  return group;
}
