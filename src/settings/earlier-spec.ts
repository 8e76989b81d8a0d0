import {
  AttentionInit,
  AttentionLoss,
  Augmentation,
  type ExperimentSpec,
  HiddenInit,
  HiddenLabels,
  HiddenLoss,
  HiddenSchedule,
  InternalLabels,
  LabelInit,
  LrParametrisation,
  LrSchedule,
  Objective,
  ObjectiveSpec,
  OuterOptimiser,
  PoolSpec,
} from "../generated/stillhouse/v1/spec.js";
import { badRowsOf } from "./derived.js";
import { type FieldValue, readField, writeField } from "./field-path.js";

/** PyTorch's defaults of Adam. */
export const BETA1 = 0.9;
export const BETA2 = 0.999;
/** Of Wang et al. (2018). */
export const LR_DECAY = 0.5;
/** The share of test before it could be chosen. */
const FORMER_TEST_FRACTION = 0.2;

type Former = (spec: ExperimentSpec) => FieldValue;

/**
 * Fields that determine a distillation and were added after specs had been stored, with the value
 * that an earlier spec stood for. Where they have it, a task is the same as before, and so is its
 * cache key.
 */
const FORMER_CHOICES: ReadonlyMap<string, Former> = new Map<string, Former>([
  ["distilled.samples", () => 0],
  ["distilled.sample_classes", () => ""],
  ["distilled.blocks", () => 1],
  ["distilled.label_init", () => LabelInit.ONE_HOT],
  ["distilled.attention_loss", () => AttentionLoss.KL],
  ["distilled.hidden_labels", () => HiddenLabels.NONE],
  ["distilled.hidden_loss", () => HiddenLoss.COSINE],
  ["distilled.hidden_weight", () => 1],
  ["distilled.learn_hidden_weight", () => false],
  ["distilled.hidden_init", () => HiddenInit.SAMPLES],
  ["distilled.hidden_schedule", () => HiddenSchedule.ALL],
  ["distilled.attention_init", () => AttentionInit.NOISE],
  ["distilled.internal_labels", () => InternalLabels.LEARNED],
  ["inner.passes", ({ inner }) => inner?.steps ?? 1],
  ["inner.lr_parametrisation", () => LrParametrisation.EXP],
  ["inner.encoder_lr_scale", () => 0],
  ["inner.dropout", () => 0],
  ["outer.window", () => 0],
  ["outer.augmentation", () => Augmentation.NONE],
  ["outer.optimiser", () => OuterOptimiser.ADAM],
  ["outer.beta1", () => BETA1],
  ["outer.beta2", () => BETA2],
  ["outer.weight_decay", () => 0],
  ["outer.momentum", () => 0],
  ["outer.lr_schedule", () => LrSchedule.LINEAR],
  ["outer.lr_decay", () => LR_DECAY],
  ["outer.lr_decay_steps", () => 0],
  ["outer.lr_decay_epochs", () => 0],
  ["outer.labels_lr", ({ outer }) => outer?.lr ?? 0],
  ["outer.rates_lr", ({ outer }) => outer?.lr ?? 0],
  ["outer.labels_weight_decay", ({ outer }) => outer?.weightDecay ?? 0],
  ["outer.rates_weight_decay", ({ outer }) => outer?.weightDecay ?? 0],
]);

const FORMER_VALUES: ReadonlyMap<string, Former> = new Map<string, Former>([
  ["dataset.bad_rows", ({ dataset }) => badRowsOf(dataset?.source)],
  ["dataset.test_fraction", () => FORMER_TEST_FRACTION],
  ["model.embeddings", () => ""],
  ["objective.kind", () => Objective.BASIC],
  ["objective.source_name", () => ""],
  ["objective.source_dir", () => ""],
  ["objective.source_fingerprint", () => ""],
  ["objective.attack_class", () => 0],
  ["objective.target_class", () => 0],
  ["pool.size", () => 0],
  ["pool.epochs", () => 0],
  ["pool.batch_size", () => 0],
  ["pool.lr", () => 0],
  ["pool.lr_halving_epochs", () => 0],
  ...FORMER_CHOICES,
]);

/**
 * A resolved spec with a value in every field that a worker reads. One that an earlier version
 * stored lacks the fields that have been added since; they get what they stood for then.
 */
export function completedSpec(spec: ExperimentSpec): ExperimentSpec {
  const missing = [...FORMER_VALUES].filter(([path]) => isUnset(readField(spec, path)));
  if (missing.length === 0) return spec;
  const complete = structuredClone({
    ...spec,
    pool: spec.pool ?? PoolSpec.fromPartial({}),
    objective: spec.objective ?? ObjectiveSpec.fromPartial({}),
  });
  for (const [path, former] of missing) {
    const group = path.split(".")[0] as keyof ExperimentSpec;
    if (complete[group] !== undefined) writeField(complete, path, former(spec));
  }
  return complete;
}

/** Paths of added fields in which a spec says what earlier ones stood for. */
export function formerChoices(spec: ExperimentSpec): ReadonlySet<string> {
  const same = [...FORMER_CHOICES].filter(([path, former]) => {
    const value = readField(spec, path);
    return isUnset(value) || value === former(spec);
  });
  return new Set(same.map(([path]) => path));
}

function isUnset(value: FieldValue | undefined): boolean {
  return value === undefined || String(value).endsWith("_UNSPECIFIED");
}
