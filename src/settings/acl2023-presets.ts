import {
  AttentionReduction,
  ExperimentSpec,
  HeadInit,
  LearnLr,
  LrParametrisation,
  OuterOptimiser,
  Preset,
  Protocol,
} from "../generated/stillhouse/v1/spec.js";

/** Some fifteen minutes with one inner step, and somewhat more with three. */
const CPU_OUTER_STEPS = 1000;

/**
 * The values of Maekawa, Kobayashi, Funakoshi and Okumura, "Dataset Distillation with Attention
 * Labels for Fine-tuning BERT" (ACL 2023): the defaults of their released code (commit 040e829). Of
 * the inner and the outer rate it tries several; these are its defaults. Full data is ours, as in
 * the 2022 study.
 *
 * @param study gives what they have no word for, such as memory.
 */
export function acl2023(study: ExperimentSpec): ExperimentSpec {
  const { distilled, inner, outer, evaluation, model } = study;
  return ExperimentSpec.fromPartial({
    ...study,
    preset: Preset.ACL2023,
    model: { ...model, headInit: HeadInit.NORMAL },
    distilled: { ...distilled, attentionReduction: AttentionReduction.KEYS },
    inner: {
      ...inner,
      lr: 0.01,
      learnLr: LearnLr.PER_STEP,
      lrParametrisation: LrParametrisation.SOFTPLUS,
    },
    outer: {
      ...outer,
      epochs: 30,
      lr: 0.01,
      batchSize: 32,
      optimiser: OuterOptimiser.ADAMW,
      validations: 30,
      validationInits: 20,
    },
    evaluation: { ...evaluation, protocol: Protocol.VALIDATION, inits: 100 },
  });
}

/**
 * The same for a MiniLM in half an hour of two CPU cores: lengths, learners and full data as in
 * `cpu-long`, with its start and its rates, which fewer steps need.
 */
export function acl2023Cpu(published: ExperimentSpec, cpu: ExperimentSpec): ExperimentSpec {
  const { dataset, distilled, inner, outer } = published;
  return ExperimentSpec.fromPartial({
    ...published,
    preset: Preset.ACL2023_CPU,
    dataset: { ...dataset, maxLength: cpu.dataset?.maxLength },
    distilled: { ...distilled, seqLen: cpu.distilled?.seqLen, xInit: cpu.distilled?.xInit },
    inner: { ...inner, lr: cpu.inner?.lr },
    outer: {
      ...outer,
      epochs: 0,
      steps: CPU_OUTER_STEPS,
      lr: cpu.outer?.lr,
      activationMib: cpu.outer?.activationMib,
      validations: 5,
      validationInits: cpu.outer?.validationInits,
    },
    evaluation: { ...cpu.evaluation, inits: 10 },
    baseline: cpu.baseline,
    pool: cpu.pool,
  });
}
