import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { FailureKind, StillhouseError } from "../../src/errors.js";
import {
  AttentionLabels,
  AttentionReduction,
  FloatType,
  Init,
  Labels,
  Pooling,
  Preset,
  Protocol,
  Source,
} from "../../src/generated/stillhouse/v1/spec.js";
import type { Facts } from "../../src/settings/facts.js";
import { emptySpec, readField, writeField } from "../../src/settings/field-path.js";
import { resolveSpec } from "../../src/settings/resolve.js";
import { CUDA, factsOf } from "../fixtures/facts.js";

type Given = Record<string, string | number | boolean>;

function draftOf(given: Given = {}) {
  const draft = emptySpec();
  for (const [path, value] of Object.entries(given)) writeField(draft, path, value);
  return draft;
}

function resolved(given: Given = {}, facts = factsOf()) {
  return resolveSpec(draftOf(given), facts);
}

function refused(field: string, message: RegExp) {
  return (error: unknown) => {
    assert.ok(error instanceof StillhouseError, String(error));
    assert.equal(error.kind, FailureKind.INVALID);
    assert.equal(error.field, field);
    assert.match(error.message, message);
    return true;
  };
}

describe("the preset", () => {
  it("is study where the device is CUDA, with every value of the study", () => {
    const { spec, description } = resolved({}, factsOf({ device: CUDA }));
    assert.equal(spec.preset, Preset.STUDY);
    assert.match(description.notices.join("\n"), /Preset study was chosen/);
    assert.deepEqual(spec.inner, {
      steps: 1,
      lr: 0.5,
      lrDecay: 1,
      learnLr: "LEARN_LR_NONE",
      encoderLrScale: 0,
      dropout: 0,
      lrParametrisation: "LR_PARAMETRISATION_EXP",
      passes: 1,
      precision: "FLOAT_TYPE_FP32",
    });
    const { outer, evaluation, baseline, distilled, compute } = spec;
    assert.deepEqual(
      [outer?.epochs, outer?.lr, outer?.batchSize, outer?.clip, outer?.warmupFraction],
      [20, 2e-3, 48, 1, 0.1],
    );
    assert.equal(outer?.accumulateLoss, false);
    assert.deepEqual([evaluation?.inits, evaluation?.baselineInits], [100, 100]);
    assert.equal(evaluation?.protocol, Protocol.VALIDATION);
    assert.deepEqual(
      [baseline?.fullEpochs, baseline?.fullBatchSize, baseline?.fullLr, baseline?.fullDropout],
      [3, 48, 2e-5, 0.1],
    );
    assert.deepEqual([distilled?.perClass, distilled?.seqLen], [1, 512]);
    assert.equal(distilled?.labels, Labels.HARD);
    assert.equal(distilled?.attentionLabels, AttentionLabels.NONE);
    assert.deepEqual([spec.dataset?.maxLength, spec.dataset?.validationFraction], [512, 0.05]);
    assert.equal(compute?.precision, FloatType.FP16);
    assert.deepEqual(description.changedFields, []);
  });

  it("is cpu where there is no CUDA device: lengths, steps and inits cut, and rates for that", () => {
    const { spec, description } = resolved();
    const study = resolved({ preset: Preset.STUDY }).spec;
    assert.match(description.notices.join("\n"), /Preset cpu was chosen/);
    const cut = [
      "preset",
      "model.pooling",
      "dataset.max_length",
      "distilled.seq_len",
      "outer.epochs",
      "outer.steps",
      "evaluation.inits",
      "evaluation.baseline_inits",
      "distilled.attention_lambda",
      "distilled.attention_reduction",
      "distilled.x_init",
      "distilled.attention_init",
      "inner.learn_lr",
      "inner.lr",
      "inner.encoder_lr_scale",
      "inner.precision",
      "outer.lr",
      "outer.labels_lr",
      "outer.rates_lr",
      "outer.activation_mib",
      "outer.batch_size",
      "outer.meta_gradient",
      "outer.validations",
      "baseline.full_epochs",
      "baseline.full_lr",
    ];
    for (const path of cut) {
      if (path !== "preset") writeField(study, path, readField(spec, path) as number | string);
    }
    assert.deepEqual({ ...study, preset: spec.preset }, spec);
    assert.deepEqual([spec.dataset?.maxLength, spec.distilled?.seqLen], [64, 64]);
    assert.deepEqual([spec.evaluation?.inits, spec.evaluation?.baselineInits], [10, 5]);
    assert.equal(spec.distilled?.attentionLambda, 1);
  });

  it("cpu trains on full data with a searched rate, in as few epochs as have 400 steps", () => {
    const epochs = (train_rows: number, preset = Preset.CPU) => {
      const { spec } = resolved({ preset }, factsOf({ dataset: { train_rows } }));
      return [spec.baseline?.fullEpochs, spec.baseline?.fullLr];
    };
    assert.deepEqual(epochs(20_169), [1, 0]);
    assert.deepEqual(epochs(19_000), [2, 0], "396 steps per epoch");
    assert.deepEqual(epochs(1_000), [3, 0], "no more than the study's");
    assert.deepEqual(epochs(20_169, Preset.STUDY), [3, 2e-5]);
    const given = { preset: Preset.CPU, "baseline.full_batch_size": 96 };
    const { spec, description } = resolved(given, factsOf({ dataset: { train_rows: 20_169 } }));
    assert.equal(spec.baseline?.fullEpochs, 2);
    assert.deepEqual(description.changedFields, ["baseline.full_batch_size"]);
  });

  it("that is named is taken without a notice", () => {
    const { description } = resolved({ preset: Preset.CPU }, factsOf({ device: CUDA }));
    assert.deepEqual(description.notices, []);
  });

  it("takes bf16 on a CPU that computes it fast, else fp32", () => {
    const precision = (bf16: boolean, preset: Preset) =>
      resolved({ preset }, factsOf({ device: { bf16 } })).spec.compute?.precision;
    assert.equal(precision(true, Preset.CPU), FloatType.BF16);
    assert.equal(precision(false, Preset.CPU), FloatType.FP32);
    assert.equal(precision(false, Preset.STUDY), FloatType.FP32);
  });

  it("takes fp32 for inner steps, but bf16 in preset cpu where all else is bf16", () => {
    const inner = (given: Given, bf16 = true) =>
      resolved(given, factsOf({ device: { bf16 } })).spec.inner?.precision;
    const { FP32, BF16 } = FloatType;
    assert.equal(inner({ preset: Preset.CPU }), BF16);
    assert.equal(inner({ preset: Preset.CPU }, false), FP32);
    assert.equal(inner({ preset: Preset.STUDY }), FP32);
    assert.equal(inner({ "compute.precision": FP32 }), FP32);
    assert.equal(inner({ "compute.precision": FP32, "inner.precision": BF16 }), BF16);
  });
});

describe("the pooling", () => {
  const poolingOf = (given: Given, pooling: Facts["model"]["pooling"]) =>
    resolved(given, factsOf({ model: { pooling } })).spec.model?.pooling;

  it("is as the encoder was trained, but the first token in preset study", () => {
    const cpu = { preset: Preset.CPU };
    assert.equal(poolingOf(cpu, "mean"), Pooling.MEAN);
    assert.equal(poolingOf(cpu, "first"), Pooling.FIRST);
    assert.equal(poolingOf(cpu, ""), Pooling.FIRST);
    assert.equal(poolingOf({ preset: Preset.STUDY }, "mean"), Pooling.FIRST);
  });

  it("is what a draft says, and the first token in a spec resolved before it was a setting", () => {
    const study = { preset: Preset.STUDY, "model.pooling": Pooling.MEAN };
    assert.equal(poolingOf(study, ""), Pooling.MEAN);
    assert.deepEqual(resolved(study).description.changedFields, ["model.pooling"]);
    const former = { preset: Preset.CPU, "model.fingerprint": factsOf().model.fingerprint };
    assert.equal(poolingOf(former, "mean"), Pooling.FIRST);
  });
});

describe("outer steps", () => {
  it("of epochs are the batches of all passes, rounded up", () => {
    const facts = factsOf({ dataset: { train_rows: 120_000 } });
    const steps = (given: Given) =>
      resolved({ preset: Preset.STUDY, ...given }, facts).spec.outer?.steps;
    assert.equal(steps({}), 50_000);
    assert.equal(steps({ "outer.epochs": 1 }), 2_500);
    assert.equal(steps({ "outer.epochs": 1, "outer.batch_size": 49 }), 2_449);
    assert.equal(steps({ "outer.epochs": 0.5 }), 1_250);
  });

  it("are not rounded up by floating-point errors", () => {
    const facts = factsOf({ dataset: { train_rows: 30 } });
    const given = { "outer.epochs": 0.1, "outer.batch_size": 1 };
    assert.equal(resolved(given, facts).spec.outer?.steps, 3);
  });

  it("that are given replace the epochs of the preset, and the other way round", () => {
    const bySteps = resolved({ preset: Preset.STUDY, "outer.steps": 7 });
    assert.deepEqual([bySteps.spec.outer?.epochs, bySteps.spec.outer?.steps], [0, 7]);
    assert.deepEqual(bySteps.description.changedFields, ["outer.steps", "outer.validations"]);
    const byEpochs = resolved({ preset: Preset.CPU, "outer.epochs": 3 });
    assert.deepEqual([byEpochs.spec.outer?.epochs, byEpochs.spec.outer?.steps], [3, 2500]);
    assert.deepEqual(byEpochs.description.changedFields, ["outer.epochs"]);
  });

  it("that contradict the epochs are refused", () => {
    assert.throws(
      () => resolved({ "outer.epochs": 1, "outer.steps": 5 }),
      refused("outer.steps", /exclude each other, got 1 and 5/),
    );
  });
});

describe("values that depend on others", () => {
  it("takes the meta-gradient that is the fastest for the inner steps, unless one is named", () => {
    const method = (given: Given) => resolved(given).spec.outer?.metaGradient;
    assert.equal(method({}), "stepwise");
    assert.equal(method({ "inner.precision": FloatType.FP32 }), "blockwise");
    assert.equal(method({ "inner.steps": 3 }), "blockwise");
    assert.equal(method({ "outer.compile": true }), "blockwise");
    assert.equal(method({ "outer.meta_gradient": "unrolled" }), "unrolled");
  });

  it("derived values do not count as changes of the preset", () => {
    const given = {
      "inner.steps": 3,
      "distilled.attention_reduction": "ATTENTION_REDUCTION_ELEMENTWISE",
    };
    const changed = resolved({ preset: Preset.CPU, ...given }).description.changedFields;
    assert.deepEqual(changed, ["distilled.attention_reduction", "inner.steps"]);
    const other = resolved({
      preset: Preset.CPU,
      ...given,
      "distilled.attention_lambda": 1,
    });
    assert.ok(other.description.changedFields.includes("distilled.attention_lambda"));
  });

  it("λ defaults to 1 with the sum over keys, else to 100", () => {
    const keys = AttentionReduction.KEYS;
    const elementwise = AttentionReduction.ELEMENTWISE;
    const lambda = (given: Given) => resolved(given).spec.distilled?.attentionLambda;
    assert.equal(lambda({ preset: Preset.STUDY }), 100);
    assert.equal(lambda({}), 1);
    assert.equal(lambda({ "distilled.attention_reduction": elementwise }), 100);
    assert.equal(lambda({ "distilled.attention_lambda": 0 }), 0);
    assert.equal(lambda({ "distilled.attention_reduction": keys }), 1);
    assert.equal(
      lambda({ "distilled.attention_reduction": keys, "distilled.attention_lambda": 0.2 }),
      0.2,
    );
  });

  it("a fixed init needs one test learner, and says so when more were asked for", () => {
    const silent = resolved({ preset: Preset.CPU, "model.init": Init.FIXED });
    assert.equal(silent.spec.evaluation?.inits, 1);
    assert.equal(silent.spec.outer?.validationInits, 1);
    assert.deepEqual(silent.description.notices, []);
    const asked = resolved({ "model.init": Init.FIXED, "evaluation.inits": 20 });
    assert.equal(asked.spec.evaluation?.inits, 1);
    assert.match(asked.description.notices.join("\n"), /--inits is 1 instead of 20/);
  });

  it("lengths beyond the model's positions are refused when given, and cut when the preset's", () => {
    const facts = factsOf({ model: { max_positions: 32 } });
    for (const [path, flag] of [
      ["distilled.seq_len", "--seq-len"],
      ["dataset.max_length", "--max-length"],
    ] as const) {
      assert.throws(
        () => resolved({ [path]: 33 }, facts),
        refused(path, new RegExp(`${flag} .* at most 32, the positions of minilm, got 33`)),
      );
    }
    const { spec, description } = resolved({}, facts);
    assert.deepEqual([spec.dataset?.maxLength, spec.distilled?.seqLen], [32, 32]);
    assert.match(description.notices.join("\n"), /--seq-len is 32 instead of the preset's 64/);
  });

  it("an encoder without blocks that blockwise knows is distilled for by stepwise", () => {
    const facts = factsOf({ model: { name: "roberta", staged: false } });
    const { spec, description } = resolved({ "inner.steps": 3 }, facts);
    assert.equal(spec.outer?.metaGradient, "stepwise");
    assert.ok(!description.changedFields.includes("outer.meta_gradient"));
    assert.equal(
      resolved({ "outer.meta_gradient": "unrolled" }, facts).spec.outer?.metaGradient,
      "unrolled",
    );
    assert.throws(
      () => resolved({ "outer.meta_gradient": "blockwise" }, facts),
      refused(
        "outer.meta_gradient",
        /blockwise .* BERT and DistilBERT alone, and roberta has others; use --meta-gradient stepwise/,
      ),
    );
  });

  it("attention labels beyond what a layer sees are refused", () => {
    const facts = factsOf({ model: { name: "modern", staged: false, attention_span: 16 } });
    const cls = { "distilled.attention_labels": AttentionLabels.CLS, "distilled.seq_len": 17 };
    assert.throws(
      () => resolved(cls, facts),
      refused("distilled.attention_labels", /modern see 16 to each side, but a sample has 17/),
    );
    resolved({ ...cls, "distilled.seq_len": 16 }, facts);
    resolved({ ...cls, "distilled.attention_labels": AttentionLabels.NONE }, facts);
  });

  it("dropout in inner steps is refused where the architecture has none, or hides attention", () => {
    const dropout = { "inner.dropout": 0.1 };
    assert.throws(
      () => resolved(dropout, factsOf({ model: { name: "flat", dropout: false } })),
      refused("inner.dropout", /must be 0 for flat, whose architecture has no dropout, got 0\.1/),
    );
    const roberta = factsOf({ model: { name: "roberta", staged: false } });
    const cls = { ...dropout, "distilled.attention_labels": AttentionLabels.CLS };
    assert.throws(
      () => resolved(cls, roberta),
      refused("inner.dropout", /must be 0 with attention labels \(--al\) for roberta/),
    );
    for (const [values, facts] of [
      [cls, factsOf({})],
      [{ ...cls, "distilled.attention_labels": AttentionLabels.NONE }, roberta],
    ] as const) {
      assert.equal(resolved(values, facts).spec.inner?.dropout, 0.1);
    }
  });

  it("more distilled samples than rows per class are refused", () => {
    assert.throws(
      () => resolved({ "distilled.per_class": 11 }, factsOf({ dataset: { train_rows: 40 } })),
      refused("distilled.per_class", /at most 10, .* got 11/),
    );
  });

  it("more processes than devices are refused", () => {
    assert.equal(resolved({ "compute.num_devices": 2 }).spec.compute?.numDevices, 2);
    assert.throws(
      () => resolved({ "compute.num_devices": 3 }),
      refused("compute.num_devices", /at most 2, the threads of the CPU .* got 3/),
    );
    const facts = factsOf({ device: { device: "cuda:1", cuda: true, num_available: 1 } });
    assert.throws(
      () => resolved({ "compute.num_devices": 2 }, facts),
      refused(
        "compute.num_devices",
        /at most 1, the CUDA devices from cuda:1 on, or of all workers, got 2/,
      ),
    );
  });

  it("memory is an estimate on CUDA, nothing on a CPU, and always what is asked for", () => {
    const memoryMib = (draft: Given, device: Partial<Facts["device"]> = CUDA) =>
      resolved(draft, factsOf({ device })).spec.compute?.memoryMib ?? -1;
    assert.equal(memoryMib({}, {}), 0);
    assert.equal(memoryMib({ "compute.memory_mib": 123 }), 123);
    const study = memoryMib({});
    // 48 texts of 512 tokens in fp16 through 6 layers of width 384 with 12 heads.
    const batchMib = (48 * 512 * 6 * (17 * 384 + 2.5 * 12 * 512) * 2) / 2 ** 20;
    assert.ok(study > batchMib + 600 && study < batchMib + 2_000, `${study} MiB`);
    assert.ok(memoryMib({ "outer.batch_size": 96 }) > study);
    assert.ok(memoryMib({ "inner.steps": 10, "outer.meta_gradient": "unrolled" }) > study);
    assert.equal(memoryMib({}, { ...CUDA, memory_bytes: 4_000 * 2 ** 20 }), 3_600);
    const { changedFields } = resolved({}, factsOf({ device: CUDA })).description;
    assert.ok(!changedFields.includes("compute.memory_mib"));
  });

  it("the validation protocol needs a validation", () => {
    assert.throws(
      () => resolved({ "outer.validations": 0 }),
      refused("outer.validations", /must be ≥ 1 with --protocol validation/),
    );
    const paper = { "outer.validations": 0, "evaluation.protocol": Protocol.PAPER };
    assert.equal(resolved(paper).spec.outer?.validations, 0);
  });

  it("a precision that the device computes slowly is allowed, with a notice", () => {
    const { spec, description } = resolved({ "compute.precision": FloatType.FP16 });
    assert.equal(spec.compute?.precision, FloatType.FP16);
    assert.match(description.notices.join("\n"), /Test CPU has no fast fp16/);
  });
});

describe("what was found", () => {
  it("goes into the spec: names, sources, fingerprints, substitutions, device", () => {
    const { spec } = resolved({ "compute.device": "auto" });
    assert.equal(spec.dataset?.name, "ag_news");
    assert.equal(spec.dataset?.source, Source.LOCAL);
    assert.equal(spec.dataset?.dataDir, "/data");
    assert.equal(spec.dataset?.fingerprint, "d".repeat(64));
    assert.equal(spec.dataset?.substituteFor, "");
    assert.equal(spec.model?.source, Source.PACKAGED);
    assert.equal(spec.model?.substituteFor, "distilbert-base-uncased");
    assert.equal(spec.compute?.device, "cpu");
  });

  it("has no data folder unless the source is local", () => {
    const facts = factsOf({ dataset: { source: "hub" } });
    assert.equal(resolved({ "dataset.data_dir": "/data" }, facts).spec.dataset?.dataDir, "");
  });

  it("must be what a draft with a fingerprint asks for", () => {
    assert.throws(
      () => resolved({ "dataset.fingerprint": "other" }),
      refused("dataset.fingerprint", /got other/),
    );
  });

  it("may match an earlier fingerprint of the model, which covered its weights alone", () => {
    const { model } = factsOf();
    for (const wanted of [model.fingerprint, model.weights_fingerprint]) {
      assert.equal(
        resolved({ "model.fingerprint": wanted }).spec.model?.fingerprint,
        model.fingerprint,
      );
    }
    assert.throws(
      () => resolved({ "model.fingerprint": "other" }),
      refused("model.fingerprint", /got other/),
    );
  });

  it("is described, with its notices first", () => {
    const { description } = resolved({}, factsOf({ notices: ["No hub."] }));
    assert.deepEqual(
      [description.trainRows, description.validationRows, description.testRows],
      [20_000, 1_000, 7_600],
    );
    assert.equal(description.parameterCount, 22_713_216n);
    assert.equal(description.deviceName, "Test CPU");
    assert.equal(description.notices[0], "No hub.");
  });
});

describe("the size of the artifact", () => {
  const bytes = (given: Given) => resolved(given).description.artifactBytes;
  const samples = 4n * 64n * 384n * 4n + 4n * 4n * 4n;

  it("counts samples and labels as fp32, and attention labels by their kind and type", () => {
    const cls = AttentionLabels.CLS;
    const all = AttentionLabels.ALL;
    const half = FloatType.FP16;
    assert.equal(bytes({}), samples);
    assert.equal(bytes({ "distilled.attention_labels": cls }), samples + 4n * 6n * 12n * 64n * 4n);
    assert.equal(
      bytes({ "distilled.attention_labels": all }),
      samples + 4n * 6n * 12n * 64n * 64n * 4n,
    );
    assert.equal(
      bytes({ "distilled.attention_labels": all, "distilled.artifact_dtype": half }),
      samples + 4n * 6n * 12n * 64n * 64n * 2n,
    );
  });

  it("above 64 MB gives a notice with the size and how to halve it", () => {
    const given = {
      "distilled.attention_labels": AttentionLabels.ALL,
      "distilled.seq_len": 512,
    };
    assert.match(resolved(given).description.notices.join("\n"), /305 MB.*--artifact-dtype fp16/);
    assert.doesNotMatch(resolved({}).description.notices.join("\n"), / MB/);
  });
});

describe("a resolved spec", () => {
  it("resolves to itself", () => {
    const drafts: Given[] = [{}, { "outer.epochs": 1.5 }, { preset: Preset.STUDY }];
    for (const given of drafts) {
      const { spec } = resolved(given);
      assert.deepEqual(resolveSpec(spec, factsOf()).spec, spec);
    }
  });

  it("does not change the presets for the next one", () => {
    resolved({ "distilled.per_class": 3 });
    assert.equal(resolved().spec.distilled?.perClass, 1);
  });

  it("lists its differences to the preset", () => {
    const { description } = resolved({
      "inner.lr": 0.1,
      "distilled.labels": Labels.UNRESTRICTED,
      "baseline.full": false,
      "outer.batch_size": 24,
      name: "a name",
    });
    assert.deepEqual(description.changedFields, ["distilled.labels", "inner.lr", "baseline.full"]);
  });
});
