import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { StillhouseError } from "../../src/errors.js";
import { variationsOf } from "../../src/experiment/domain/variations.js";
import {
  AttentionLabels,
  Augmentation,
  ExperimentSpec,
  FloatType,
  Init,
  LrSchedule,
  Preset,
  Protocol,
  RobustnessCheck,
  XInit,
} from "../../src/generated/stillhouse/v1/spec.js";
import { BASELINE_PATHS } from "../../src/settings/baseline-fields.js";
import { emptySpec, writeField } from "../../src/settings/field-path.js";
import { specHash } from "../../src/settings/hash.js";
import { resolveSpec } from "../../src/settings/resolve.js";
import { factsOf } from "../fixtures/facts.js";

const MNIST = factsOf({
  dataset: {
    name: "mnist",
    source: "packaged",
    data_dir: "",
    class_names: [..."0123456789"],
    text_columns: [],
    label_column: "",
    train_rows: 57_000,
    image: { channels: 1, height: 28, width: 28 },
  },
  model: {
    name: "lenet",
    num_layers: 0,
    num_heads: 0,
    width: 784,
    max_positions: 2 ** 20,
    entry_width: 784,
    staged: false,
    dropout: false,
    pooling: "",
  },
});

const DECODING = [RobustnessCheck.DECODING];

function resolved(draft: ExperimentSpec = emptySpec()) {
  return resolveSpec(draft, MNIST);
}

function refused(words: RegExp) {
  return (error: unknown) => error instanceof StillhouseError && words.test(error.message);
}

describe("experiments on images", () => {
  it("say nothing of texts, and resolve to the same again", () => {
    const { spec, description } = resolved();
    assert.deepEqual(spec.dataset?.found?.image, { channels: 1, height: 28, width: 28 });
    assert.equal(spec.outer?.metaGradient, "stepwise");
    assert.equal(spec.distilled?.seqLen, 1);
    assert.equal(spec.compute?.precision, FloatType.FP32);
    assert.deepEqual(description.changedFields, []);
    assert.equal(specHash(resolveSpec(spec, MNIST).spec), specHash(spec));
  });

  it("store one image per sample, and labels", () => {
    const bytes = 10 * (784 + 10) * 4;
    assert.equal(resolved().description.artifactBytes, BigInt(bytes));
  });

  it("refuse what is for texts by the name of its flag", () => {
    const cases = [
      [
        { distilled: { attentionLabels: AttentionLabels.CLS } },
        /--al .* is for texts, and mnist holds images/,
      ],
      [{ distilled: { seqLen: 8 } }, /--seq-len .* is for texts/],
      [{ dataset: { maxLength: 64 } }, /--max-length .* is for texts/],
      [{ inner: { precision: FloatType.BF16 } }, /--inner-precision .* is for texts/],
      [{ baseline: { setfit: true } }, /--baselines setfit .* is for texts/],
      [{ outer: { compile: true } }, /--compile .* is for texts/],
      [{ outer: { metaGradient: "blockwise" } }, /must be stepwise or unrolled/],
      [{ robustness: { artifactId: "a", checks: DECODING } }, /--checks decoding .* is for texts/],
    ] as const;
    for (const [draft, words] of cases) {
      assert.throws(() => resolveSpec(ExperimentSpec.fromPartial(draft), MNIST), refused(words));
    }
  });

  it("leave to images what is for images", () => {
    const cases = [
      [
        { outer: { augmentation: Augmentation.CROP_FLIP } },
        /--augment .* is for images, and ag_news holds texts/,
      ],
      [{ baseline: { kMeans: true } }, /--baselines k-means .* is for images/],
    ] as const;
    for (const [draft, words] of cases) {
      const fields = ExperimentSpec.fromPartial(draft);
      assert.throws(() => resolveSpec(fields, factsOf()), refused(words));
      assert.doesNotThrow(() => resolveSpec(fields, MNIST));
    }
  });

  it("have all baselines that are for them where all are asked for", () => {
    for (const [facts, left, out] of [
      [MNIST, "kMeans", "setfit"],
      [factsOf(), "setfit", "kMeans"],
    ] as const) {
      const draft = emptySpec();
      for (const path of BASELINE_PATHS) writeField(draft, path, true);
      const { spec, description } = resolveSpec(draft, facts);
      assert.deepEqual([spec.baseline?.[left], spec.baseline?.[out]], [true, false]);
      assert.equal(spec.baseline?.knn, true);
      assert.match(description.notices.join(" "), /--baselines all is without (setfit|k-means)/);
    }
  });

  it("are tried for robustness in every way but that of tokens", () => {
    const all = Object.values(RobustnessCheck).filter(
      (check) => check !== RobustnessCheck.UNSPECIFIED && check !== RobustnessCheck.UNRECOGNIZED,
    );
    const robustness = {
      artifactId: "a",
      artifactSha256: "0".repeat(64),
      numSamples: 10,
      checks: all,
    };
    const { spec } = resolveSpec(ExperimentSpec.fromPartial({ robustness }), MNIST);
    assert.deepEqual(
      spec.robustness?.checks,
      all.filter((check) => check !== RobustnessCheck.DECODING),
    );
    const names = variationsOf(spec).map(({ name }) => name);
    assert.ok(names.includes("one-by-one") && names.includes("adam"));
    assert.ok(!names.some((name) => name.startsWith("decoded")));
    assert.equal(specHash(resolveSpec(spec, MNIST).spec), specHash(spec));
  });

  it("have the published values in preset wang-mnist", () => {
    const { spec, description } = resolved({ ...emptySpec(), preset: Preset.WANG_MNIST });
    const { inner, outer, model, distilled, evaluation } = spec;
    assert.equal(model?.init, Init.FIXED);
    assert.deepEqual(
      [distilled?.perClass, distilled?.blocks, inner?.passes, inner?.steps],
      [1, 1, 3, 3],
    );
    assert.deepEqual([inner?.lr, outer?.lr, outer?.beta1, outer?.beta2], [0.02, 0.01, 0.5, 0.999]);
    assert.deepEqual([outer?.epochs, outer?.batchSize, outer?.clip], [400, 1024, 0]);
    assert.equal(outer?.lrSchedule, LrSchedule.STEP);
    assert.equal(outer?.steps, Math.ceil((400 * 57_000) / 1024));
    assert.equal(outer?.lrDecaySteps, Math.ceil((40 * 57_000) / 1024));
    assert.equal(evaluation?.protocol, Protocol.PAPER);
    assert.deepEqual(description.changedFields, []);
  });

  it("have a preset for a CPU, whose name the plan says", () => {
    const { spec, description } = resolved(
      ExperimentSpec.fromPartial({ preset: Preset.WANG_MNIST_CPU, inner: { lr: 0.3 } }),
    );
    assert.deepEqual([spec.outer?.steps, spec.outer?.lrDecaySteps], [7000, 700]);
    assert.deepEqual(description.changedFields, ["inner.lr"]);
  });

  it("take from preset cpu the values of networks, which have nothing that is pretrained", () => {
    const of = (preset: Preset) => resolved({ ...emptySpec(), preset });
    const { spec, description } = of(Preset.CPU);
    assert.deepEqual({ ...spec, preset: Preset.CPU_LONG }, of(Preset.CPU_LONG).spec);
    assert.equal(spec.distilled?.xInit, XInit.REAL);
    assert.deepEqual(description.changedFields, []);
    assert.equal(resolveSpec(emptySpec(), factsOf()).spec.distilled?.xInit, XInit.CLASS_MEANS);
  });

  it("have presets of their own, which texts do not take", () => {
    const draft = { ...emptySpec(), preset: Preset.WANG_MNIST };
    const ofTexts = () => resolveSpec(draft, factsOf());
    assert.throws(
      ofTexts,
      refused(/--preset .* wang-mnist is for images, and ag_news holds texts/),
    );
  });
});
