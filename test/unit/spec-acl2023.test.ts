import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  AttentionReduction,
  FloatType,
  HeadInit,
  LearnLr,
  LrParametrisation,
  LrSchedule,
  OuterOptimiser,
  Pooling,
  Preset,
  Protocol,
  XInit,
} from "../../src/generated/stillhouse/v1/spec.js";
import { emptySpec, writeField } from "../../src/settings/field-path.js";
import { resolveSpec } from "../../src/settings/resolve.js";
import { CUDA, factsOf } from "../fixtures/facts.js";

function resolved(preset: Preset, given: Record<string, string | number> = {}, device = CUDA) {
  const draft = emptySpec();
  writeField(draft, "preset", preset);
  for (const [path, value] of Object.entries(given)) writeField(draft, path, value);
  return resolveSpec(draft, factsOf({ device }));
}

describe("the preset acl2023", () => {
  it("has the defaults of the released code", () => {
    const { spec, description } = resolved(Preset.ACL2023);
    const { distilled, inner, outer, evaluation, model, compute } = spec;
    assert.deepEqual(
      [distilled?.perClass, distilled?.blocks, distilled?.seqLen, distilled?.xInit],
      [1, 1, 512, XInit.NOISE],
    );
    assert.deepEqual(
      [distilled?.attentionReduction, distilled?.attentionLambda],
      [AttentionReduction.KEYS, 1],
    );
    assert.deepEqual(
      [inner?.steps, inner?.lr, inner?.learnLr, inner?.lrParametrisation, inner?.dropout],
      [1, 0.01, LearnLr.PER_STEP, LrParametrisation.SOFTPLUS, 0],
    );
    assert.deepEqual([outer?.epochs, outer?.batchSize, outer?.clip], [30, 32, 1]);
    assert.deepEqual([outer?.lr, outer?.labelsLr, outer?.ratesLr], [0.01, 0.01, 0.01]);
    assert.deepEqual([outer?.lrSchedule, outer?.warmupFraction], [LrSchedule.LINEAR, 0.1]);
    assert.deepEqual(
      [outer?.optimiser, outer?.beta1, outer?.beta2],
      [OuterOptimiser.ADAMW, 0.9, 0.999],
    );
    assert.deepEqual([model?.headInit, model?.pooling], [HeadInit.NORMAL, Pooling.FIRST]);
    assert.deepEqual([evaluation?.protocol, evaluation?.inits], [Protocol.VALIDATION, 100]);
    assert.deepEqual([compute?.precision, inner?.precision], [FloatType.FP32, FloatType.FP32]);
    assert.deepEqual(description.changedFields, []);
  });

  it("decays labels and rates by PyTorch's default, and samples and attention labels not", () => {
    const decays = (given = {}) => {
      const { outer } = resolved(Preset.ACL2023, given).spec;
      return [outer?.weightDecay, outer?.labelsWeightDecay, outer?.ratesWeightDecay];
    };
    assert.deepEqual(decays(), [0, 0.01, 0.01]);
    assert.deepEqual(decays({ "outer.labels_weight_decay": 0 }), [0, 0, 0.01]);
    assert.deepEqual(decays({ "outer.optimiser": OuterOptimiser.ADAM }), [0, 0, 0]);
  });

  it("is cut to a CPU in lengths, steps, learners and their rates alone", () => {
    const { spec, description } = resolved(Preset.ACL2023_CPU, {}, {});
    assert.deepEqual(description.changedFields, []);
    const cut = spec.distilled;
    assert.deepEqual([spec.dataset?.maxLength, cut?.seqLen, cut?.xInit], [64, 64, XInit.REAL]);
    assert.deepEqual([spec.outer?.steps, spec.outer?.lr, spec.inner?.lr], [1000, 0.02, 0.5]);
    assert.equal(spec.model?.pooling, Pooling.FIRST);
    const published = resolved(Preset.ACL2023, {}, {}).spec;
    assert.deepEqual({ ...cut, seqLen: 512, xInit: XInit.NOISE }, published.distilled);
    const { outer } = spec;
    assert.deepEqual([outer?.optimiser, outer?.labelsWeightDecay], [OuterOptimiser.ADAMW, 0.01]);
  });
});
