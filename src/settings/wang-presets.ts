import {
  ExperimentSpec,
  Init,
  LearnLr,
  LrParametrisation,
  LrSchedule,
  Preset,
  Protocol,
  XInit,
} from "../generated/stillhouse/v1/spec.js";

/**
 * The values of Wang, Zhu, Torralba and Efros, "Dataset Distillation" (2018), for ten images of
 * MNIST and a LeNet whose weights are fixed: what their released code (commit 24e6958) has as its
 * defaults. Full data, validation rows and seeds are ours, since they say nothing about them.
 *
 * @param study gives what they have no word for, such as memory.
 */
export function wangMnist(study: ExperimentSpec): ExperimentSpec {
  const { distilled, inner, outer, evaluation, baseline, model } = study;
  return ExperimentSpec.fromPartial({
    ...study,
    preset: Preset.WANG_MNIST,
    model: { ...model, init: Init.FIXED },
    distilled: { ...distilled, perClass: 1, xInit: XInit.NOISE },
    // One block of ten images, three passes over it, each with a rate of its own.
    inner: {
      ...inner,
      steps: 3,
      passes: 3,
      lr: 0.02,
      lrDecay: 1,
      learnLr: LearnLr.PER_STEP,
      lrParametrisation: LrParametrisation.SOFTPLUS,
    },
    outer: {
      ...outer,
      epochs: 400,
      lr: 0.01,
      batchSize: 1024,
      beta1: 0.5,
      beta2: 0.999,
      lrSchedule: LrSchedule.STEP,
      lrDecay: 0.5,
      lrDecayEpochs: 40,
      clip: 0,
      warmupFraction: 0,
      initsPerStep: 1,
      validationInits: 1,
    },
    evaluation: { ...evaluation, protocol: Protocol.PAPER, inits: 1, baselineInits: 20 },
    baseline: { ...baseline, fullEpochs: 10, fullBatchSize: 128, fullLr: 1e-3, fullDropout: 0 },
  });
}

/**
 * The same in ten minutes of a CPU core: a third of the steps on an eighth of the rows, with rates
 * that so few steps need.
 */
export function wangMnistCpu(published: ExperimentSpec): ExperimentSpec {
  const { inner, outer, evaluation, baseline } = published;
  return ExperimentSpec.fromPartial({
    ...published,
    preset: Preset.WANG_MNIST_CPU,
    inner: { ...inner, lr: 0.5 },
    outer: { ...outer, epochs: 0, steps: 7000, lr: 0.1, batchSize: 128, lrDecayEpochs: 0 },
    evaluation: { ...evaluation, baselineInits: 5 },
    baseline: { ...baseline, fullEpochs: 3 },
  });
}
