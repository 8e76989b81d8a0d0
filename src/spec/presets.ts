import {
  AttentionLabels,
  AttentionReduction,
  ExperimentSpec,
  FloatType,
  HeadInit,
  Init,
  Labels,
  LearnLr,
  Preset,
  Protocol,
  XInit,
} from "../generated/stillhouse/v1/spec.js";
import type { Facts } from "./facts.js";

/** λ of the study, for the mean over every element. */
export const LAMBDA_ELEMENTWISE = 100;
/** λ for the sum over keys: the loss is then S times as large, and 1 is what its authors use. */
export const LAMBDA_KEYS = 1;

/** The study trains for 20 epochs. */
const STUDY_EPOCHS = 20;
/** One measurement an epoch of the study; few enough to cost little, enough to choose from. */
const VALIDATIONS = 20;
/** The study tests on 100 learners. */
const STUDY_INITS = 100;

/**
 * S on a CPU. The mean over every element weighs the attention loss by 1/S: at S = 32 it drowns the
 * labels and nothing is learned, and at S = 256 a step takes longer and brings less. In the same 18
 * minutes, S = 128 with texts of 64 tokens (1,000 steps) reached 77 % on validation, S = 64 with
 * texts of 32 tokens (1,600 steps) 73 % (AG News, MiniLM, unrestricted + cls).
 */
const CPU_SEQ_LEN = 128;
/** Tokens of a real text on a CPU: most news texts are no longer. */
const CPU_MAX_LENGTH = 64;
/** Two to three epochs of a set with 20,000 rows: some twenty minutes of two CPU cores. */
const CPU_OUTER_STEPS = 1000;
/** Each test learner reads the whole test split, which is most of the time of an evaluation. */
const CPU_INITS = 20;
const CPU_BASELINE_INITS = 5;

/** Enough to tell a good step from a lucky head; each reads the whole validation split. */
const VALIDATION_INITS = 2;
/** The same in all presets, since the rows are counted before a preset is chosen. */
export const VALIDATION_FRACTION = 0.05;
const SEED = 0;

/** All values of a preset; what stands in no preset comes from the facts. */
const STUDY: ExperimentSpec = ExperimentSpec.fromPartial({
  name: "",
  preset: Preset.PRESET_STUDY,
  dataset: { maxLength: 512, validationFraction: VALIDATION_FRACTION },
  model: { headInit: HeadInit.HEAD_INIT_DEFAULT, init: Init.INIT_RANDOM },
  distilled: {
    perClass: 1,
    seqLen: 512,
    xInit: XInit.X_INIT_NOISE,
    labels: Labels.LABELS_HARD,
    attentionLabels: AttentionLabels.ATTENTION_LABELS_NONE,
    attentionLambda: LAMBDA_ELEMENTWISE,
    attentionReduction: AttentionReduction.ATTENTION_REDUCTION_ELEMENTWISE,
    artifactDtype: FloatType.FLOAT_TYPE_FP32,
  },
  inner: { steps: 1, lr: 0.5, lrDecay: 1, learnLr: LearnLr.LEARN_LR_NONE },
  outer: {
    epochs: STUDY_EPOCHS,
    lr: 2e-3,
    batchSize: 48,
    clip: 1,
    warmupFraction: 0.1,
    accumulateLoss: false,
    validations: VALIDATIONS,
    validationInits: VALIDATION_INITS,
    // A fifth of the memory of unrolling at ten inner steps, and no slower at one.
    metaGradient: "stepwise",
  },
  evaluation: {
    protocol: Protocol.PROTOCOL_VALIDATION,
    inits: STUDY_INITS,
    baselineInits: STUDY_INITS,
  },
  baseline: {
    full: true,
    random: true,
    untrained: true,
    fullEpochs: 3,
    fullBatchSize: 48,
    fullLr: 2e-5,
    fullDropout: 0.1,
  },
  compute: {},
  seed: SEED,
});

/** `study` cut to two CPU cores. The whole train and test split stay, so its ratios are honest. */
const CPU: ExperimentSpec = {
  ...STUDY,
  preset: Preset.PRESET_CPU,
  dataset: { ...filled(STUDY.dataset), maxLength: CPU_MAX_LENGTH },
  distilled: { ...filled(STUDY.distilled), seqLen: CPU_SEQ_LEN },
  outer: {
    ...filled(STUDY.outer),
    epochs: 0,
    steps: CPU_OUTER_STEPS,
  },
  evaluation: {
    ...filled(STUDY.evaluation),
    inits: CPU_INITS,
    baselineInits: CPU_BASELINE_INITS,
  },
};

export type KnownPreset = Preset.PRESET_STUDY | Preset.PRESET_CPU;

/**
 * The values of a preset on a device.
 *
 * @param device absent for the values that do not depend on one; the precision is then not set.
 */
export function presetSpec(preset: KnownPreset, device?: Facts["device"]): ExperimentSpec {
  const values = structuredClone(preset === Preset.PRESET_STUDY ? STUDY : CPU);
  if (device !== undefined) filled(values.compute).precision = defaultPrecision(preset, device);
  return values;
}

/** The study's AMP is fp16 on CUDA; elsewhere bf16 where it is fast, since it needs no scaling. */
function defaultPrecision(preset: KnownPreset, device: Facts["device"]): FloatType {
  if (preset === Preset.PRESET_STUDY && device.cuda) return FloatType.FLOAT_TYPE_FP16;
  return device.bf16 ? FloatType.FLOAT_TYPE_BF16 : FloatType.FLOAT_TYPE_FP32;
}

function filled<T>(group: T | undefined): T {
  if (group === undefined) throw new Error("every preset fills in every group");
  return group;
}
