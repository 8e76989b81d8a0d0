import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { StillhouseError } from "../../src/errors.js";
import { LrSchedule, OuterOptimiser, Preset } from "../../src/generated/stillhouse/v1/spec.js";
import { completedSpec } from "../../src/settings/earlier-spec.js";
import { emptySpec, writeField } from "../../src/settings/field-path.js";
import { resolveSpec } from "../../src/settings/resolve.js";
import { factsOf } from "../fixtures/facts.js";

type Given = Record<string, string | number | boolean>;

function resolved(given: Given = {}, trainRows = 120_000) {
  const draft = emptySpec();
  writeField(draft, "preset", Preset.STUDY);
  for (const [path, value] of Object.entries(given)) writeField(draft, path, value);
  return resolveSpec(draft, factsOf({ dataset: { train_rows: trainRows } }));
}

function refusal(given: Given): string {
  try {
    resolved(given);
  } catch (error) {
    assert.ok(error instanceof StillhouseError, String(error));
    return error.message;
  }
  return "";
}

const STEP = { "outer.lr_schedule": LrSchedule.STEP };
const ADAMW = { "outer.optimiser": OuterOptimiser.ADAMW };
const SGD = { "outer.optimiser": OuterOptimiser.SGD };

describe("the outer optimiser", () => {
  it("is Adam with the betas of PyTorch and a rate that falls linearly, in every preset", () => {
    const { outer } = resolved().spec;
    assert.deepEqual(
      [outer?.optimiser, outer?.beta1, outer?.beta2, outer?.weightDecay, outer?.momentum],
      [OuterOptimiser.ADAM, 0.9, 0.999, 0, 0],
    );
    assert.deepEqual(
      [outer?.lrSchedule, outer?.lrDecaySteps, outer?.lrDecayEpochs],
      [LrSchedule.LINEAR, 0, 0],
    );
  });

  it("decays weights in AdamW alone", () => {
    assert.equal(resolved(ADAMW).spec.outer?.weightDecay, 0.01);
    const chosen = { ...ADAMW, "outer.weight_decay": 0 };
    assert.equal(resolved(chosen).spec.outer?.weightDecay, 0);
    assert.deepEqual(resolved(ADAMW).description.changedFields, ["outer.optimiser"]);
  });

  it("decays labels and rates as all else unless they have their own", () => {
    const decays = (given: Given) => {
      const { outer } = resolved(given).spec;
      return [outer?.weightDecay, outer?.labelsWeightDecay, outer?.ratesWeightDecay];
    };
    assert.deepEqual(decays({}), [0, 0, 0]);
    assert.deepEqual(decays(ADAMW), [0.01, 0.01, 0.01]);
    assert.deepEqual(decays({ ...ADAMW, "outer.weight_decay": 0.1 }), [0.1, 0.1, 0.1]);
    const own = { ...ADAMW, "outer.labels_weight_decay": 0.2, "outer.rates_weight_decay": 0 };
    assert.deepEqual(decays(own), [0.01, 0.2, 0]);
    assert.deepEqual(resolved({ ...ADAMW, "outer.weight_decay": 0.1 }).description.changedFields, [
      "outer.optimiser",
      "outer.weight_decay",
    ]);
  });

  it("has one rate for all tensors unless labels or rates have their own", () => {
    const rates = (given: Given) => {
      const { outer } = resolved(given).spec;
      return [outer?.lr, outer?.labelsLr, outer?.ratesLr];
    };
    assert.deepEqual(rates({ "outer.lr": 0.1 }), [0.1, 0.1, 0.1]);
    assert.deepEqual(rates({ "outer.labels_lr": 0.3 }), [2e-3, 0.3, 2e-3]);
    assert.deepEqual(rates({ "outer.rates_lr": 0.4 }), [2e-3, 2e-3, 0.4]);
    const { changedFields } = resolved({ "outer.lr": 0.1 }).description;
    assert.deepEqual(changedFields, ["outer.lr"]);
  });

  it("need not clip", () => {
    assert.equal(resolved({ "outer.clip": 0 }).spec.outer?.clip, 0);
  });

  it("refuses what the chosen one does not know", () => {
    assert.match(
      refusal({ ...SGD, "outer.beta1": 0.5 }),
      /--beta1 \(outer.beta1\) needs --optimiser adam or adamw, got 0.5 with --optimiser sgd/,
    );
    assert.match(refusal({ "outer.weight_decay": 0.1 }), /needs --optimiser adamw, got 0.1/);
    assert.match(refusal({ "outer.labels_weight_decay": 0.1 }), /needs --optimiser adamw, got 0.1/);
    assert.match(refusal({ "outer.momentum": 0.9 }), /needs --optimiser sgd, got 0.9/);
    assert.match(refusal({ "outer.lr_decay": 0.1 }), /needs --lr-schedule step, got 0.1/);
    assert.match(refusal({ "outer.lr_decay_steps": 7 }), /needs --lr-schedule step, got 7/);
    assert.match(refusal({ "outer.lr_decay_epochs": 2 }), /needs --lr-schedule step, got 2/);
    assert.match(refusal({ "outer.beta2": 1 }), /--beta2 .* must be ≥ 0 and < 1, got 1/);
    assert.equal(refusal({ ...SGD, "outer.momentum": 0.9 }), "");
    assert.equal(refusal({ "outer.beta1": 0.5 }), "");
  });
});

describe("the schedule step", () => {
  const decays = (given: Given) => {
    const { outer } = resolved({ ...STEP, ...given }).spec;
    return [outer?.lrDecaySteps, outer?.lrDecayEpochs];
  };

  it("decays ten times, or as often as steps or epochs say", () => {
    assert.deepEqual(decays({}), [5_000, 0], "of 50,000");
    assert.deepEqual(decays({ "outer.steps": 7, "outer.validations": 1 }), [1, 0]);
    assert.deepEqual(decays({ "outer.lr_decay_steps": 40 }), [40, 0]);
    assert.deepEqual(decays({ "outer.lr_decay_epochs": 2 }), [5_000, 2]);
    assert.deepEqual(decays({ "outer.lr_decay_epochs": 0.5 }), [1_250, 0.5]);
  });

  it("says which of both was given, and resolves to the same again", () => {
    const changed = (given: Given) => resolved({ ...STEP, ...given }).description.changedFields;
    assert.deepEqual(changed({}), ["outer.lr_schedule"]);
    assert.deepEqual(changed({ "outer.lr_decay_steps": 40 }), [
      "outer.lr_schedule",
      "outer.lr_decay_steps",
    ]);
    assert.deepEqual(changed({ "outer.lr_decay_epochs": 2 }), [
      "outer.lr_schedule",
      "outer.lr_decay_epochs",
    ]);
    const { spec } = resolved({ ...STEP, "outer.lr_decay_epochs": 2 });
    const facts = factsOf({ dataset: { train_rows: 120_000 } });
    assert.deepEqual(resolveSpec(spec, facts).spec, spec);
  });

  it("refuses steps and epochs that contradict each other, and no steps at all", () => {
    assert.match(
      refusal({ ...STEP, "outer.lr_decay_epochs": 1, "outer.lr_decay_steps": 5 }),
      /--lr-decay-epochs .* and --lr-decay-steps .* exclude each other, got 1 and 5/,
    );
    assert.match(
      refusal({ ...STEP, "outer.lr_decay_steps": 0 }),
      /--lr-decay-steps .* must be ≥ 1 with --lr-schedule step, got 0/,
    );
  });
});

describe("a spec from before the optimiser could be chosen", () => {
  it("is completed with Adam and its own rate", () => {
    const { spec } = resolved({ "outer.lr": 0.123 });
    const earlier = structuredClone(spec);
    Object.assign(earlier.outer ?? {}, {
      optimiser: OuterOptimiser.UNSPECIFIED,
      lrSchedule: LrSchedule.UNSPECIFIED,
      ...Object.fromEntries(
        [
          "beta1",
          "beta2",
          "weightDecay",
          "momentum",
          "lrDecay",
          "lrDecaySteps",
          "lrDecayEpochs",
          "labelsLr",
          "ratesLr",
          "labelsWeightDecay",
          "ratesWeightDecay",
        ].map((key) => [key, undefined]),
      ),
    });
    assert.deepEqual(completedSpec(earlier), spec);
    assert.deepEqual(completedSpec(spec), spec);
  });
});
