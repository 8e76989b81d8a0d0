import {
  AttentionReduction,
  BadRows,
  type ExperimentSpec,
  FloatType,
  LrSchedule,
  OuterOptimiser,
  Preset,
  Source,
} from "../generated/stillhouse/v1/spec.js";
import { type FieldValue, writeField } from "./field-path.js";
import { isOfAcl2023 } from "./preset-names.js";

/** λ of the study, for the mean over every element. */
const LAMBDA_ELEMENTWISE = 100;
/** λ for the sum over keys: the loss is then S times as large, and its authors use 1. */
const LAMBDA_KEYS = 1;
/** PyTorch's default of AdamW. */
const WEIGHT_DECAY = 0.01;
/** Rate of the pixels in preset `soft-mnist-cpu`, over that of the labels. */
const PIXELS_OVER_LABELS = 5;
/** Wang et al. (2018) halve the rate every 40 of 400 epochs. */
const DECAYS = 10;

/**
 * Values that follow from other fields unless a draft gives them, by the path of their field.
 *
 * @param isStaged whether `blockwise` knows the blocks of the model
 */
export function derivedValues(
  spec: ExperimentSpec,
  isStaged = true,
): ReadonlyMap<string, FieldValue> {
  return new Map([
    ["dataset.bad_rows", badRowsOf(spec.dataset?.source)],
    ["distilled.attention_lambda", lambdaOf(spec)],
    ["outer.meta_gradient", metaGradientOf(spec, isStaged)],
    ["outer.labels_lr", labelsLrOf(spec)],
    ["outer.rates_lr", spec.outer?.lr ?? 0],
    ["outer.weight_decay", weightDecayOf(spec)],
    ["outer.labels_weight_decay", ownWeightDecayOf(spec)],
    ["outer.rates_weight_decay", ownWeightDecayOf(spec)],
    ["outer.lr_decay_steps", lrDecayStepsOf(spec)],
  ] as [string, FieldValue][]);
}

/** Gives a spec the values that would follow from another one. */
export function writeDerived(spec: ExperimentSpec, from: ExperimentSpec, isStaged = true): void {
  for (const [path, value] of derivedValues(from, isStaged)) writeField(spec, path, value);
}

/** Skips rows of the hub, which nobody here can edit; one's own files are better corrected. */
export function badRowsOf(source = Source.UNSPECIFIED): BadRows {
  if (source === Source.UNSPECIFIED) return BadRows.UNSPECIFIED;
  return source === Source.HUB ? BadRows.SKIP : BadRows.REFUSE;
}

function lambdaOf({ distilled }: ExperimentSpec): number {
  const keys = AttentionReduction.KEYS;
  return distilled?.attentionReduction === keys ? LAMBDA_KEYS : LAMBDA_ELEMENTWISE;
}

/**
 * Labels that follow so high a rate as pixels do can make the inner steps diverge, since a raw
 * label scales the gradient of each.
 */
function labelsLrOf({ preset, outer }: ExperimentSpec): number {
  return (outer?.lr ?? 0) / (preset === Preset.SOFT_MNIST_CPU ? PIXELS_OVER_LABELS : 1);
}

function weightDecayOf({ preset, outer }: ExperimentSpec): number {
  if (outer?.optimiser !== OuterOptimiser.ADAMW) return 0;
  return isOfAcl2023(preset) ? 0 : WEIGHT_DECAY;
}

/**
 * Of class labels, and of inner rates: in the released code of Maekawa et al. (2023) their groups
 * have PyTorch's default, where samples and attention labels have none.
 */
function ownWeightDecayOf({ preset, outer }: ExperimentSpec): number {
  if (outer?.optimiser !== OuterOptimiser.ADAMW) return 0;
  return isOfAcl2023(preset) ? WEIGHT_DECAY : (outer.weightDecay ?? 0);
}

/** Unless it follows from epochs. */
function lrDecayStepsOf({ outer }: ExperimentSpec): number {
  if (outer?.lrSchedule !== LrSchedule.STEP) return 0;
  return Math.max(1, Math.ceil((outer.steps ?? 0) / DECAYS));
}

/**
 * Empty where the precision, and so the device, is not known. At one inner step whose products are
 * rounded, stepwise is a tenth faster (`npm run bench -- outer-step`).
 */
function metaGradientOf({ inner, outer, dataset }: ExperimentSpec, isStaged: boolean): string {
  // A network of images has no blocks.
  if (dataset?.found?.image) return "stepwise";
  const precision = inner?.precision ?? FloatType.UNSPECIFIED;
  if (precision === FloatType.UNSPECIFIED) return "";
  if (!isStaged) return "stepwise";
  const isRounded = precision !== FloatType.FP32;
  return inner?.steps === 1 && isRounded && !outer?.compile ? "stepwise" : "blockwise";
}
