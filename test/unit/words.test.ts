import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { renderResolved } from "../../src/cli/run/resolved-view.js";
import { colorsOf } from "../../src/cli/terminal/terminal.js";
import { StillhouseError } from "../../src/errors.js";
import { cacheKey } from "../../src/experiment/domain/cache-key.js";
import {
  AttentionLabels,
  ExperimentSpec,
  FloatType,
  Source,
  XInit,
} from "../../src/generated/stillhouse/v1/spec.js";
import { emptySpec } from "../../src/settings/field-path.js";
import { specHash } from "../../src/settings/hash.js";
import { resolveSpec } from "../../src/settings/resolve.js";
import { factsOf } from "../fixtures/facts.js";

const EMBEDDINGS = {
  name: "glove_6b_100d",
  source: "local" as const,
  path: "/data/glove_6b_100d",
  fingerprint: "e".repeat(64),
  words: 24_000,
  width: 100,
  train_coverage: 0.918,
};

function wordFacts(embeddings: Partial<typeof EMBEDDINGS> = {}) {
  return factsOf({
    model: {
      name: "textcnn",
      source: "packaged",
      substitute_for: "",
      num_layers: 0,
      num_heads: 0,
      width: 100,
      entry_width: 100,
      max_positions: 2 ** 20,
      staged: false,
      pooling: "",
      embeddings: { ...EMBEDDINGS, ...embeddings },
    },
  });
}

function resolved(draft: ExperimentSpec = emptySpec()) {
  return resolveSpec(draft, wordFacts());
}

function refused(words: RegExp) {
  return (error: unknown) => error instanceof StillhouseError && words.test(error.message);
}

describe("experiments on word vectors", () => {
  it("name the vectors that were found, and resolve to the same again", () => {
    const { spec, description } = resolved();
    assert.equal(spec.model?.embeddings, "glove_6b_100d");
    assert.deepEqual(spec.model?.embeddingsFound, {
      source: Source.LOCAL,
      path: "/data/glove_6b_100d",
      fingerprint: "e".repeat(64),
      words: 24_000,
      width: 100,
      trainCoverage: 0.918,
    });
    assert.equal(spec.outer?.metaGradient, "stepwise");
    assert.equal(spec.compute?.precision, FloatType.FP32);
    assert.deepEqual(description.changedFields, []);
    assert.equal(specHash(resolveSpec(spec, wordFacts()).spec), specHash(spec));
  });

  it("say in the plan how much of the training texts the vectors know", () => {
    const { spec, description } = resolved();
    const plan = renderResolved({ spec, description, tasks: [] }, colorsOf(false), undefined);
    assert.match(
      plan,
      /Words {7}glove_6b_100d: 24,000 words × 100, fingerprint eeeeeeeeeeee, 91\.8 % of the words of train/,
    );
  });

  it("store S vectors per sample", () => {
    const { description } = resolved(ExperimentSpec.fromPartial({ distilled: { seqLen: 7 } }));
    assert.equal(description.artifactBytes, BigInt(4 * (7 * 100 + 4) * 4));
  });

  it("refuse what is for encoders by the name of its flag", () => {
    const cases = [
      [{ distilled: { attentionLabels: AttentionLabels.CLS } }, /--al .* is for pretrained enc/],
      [{ inner: { encoderLrScale: 0.5 } }, /--encoder-lr-scale .* is for pretrained encoders/],
      [{ inner: { precision: FloatType.BF16 } }, /--inner-precision .* is for pretrained/],
      [{ baseline: { setfit: true } }, /--baselines setfit .* and textcnn is a network of word/],
      [{ outer: { compile: true } }, /--compile .* is for pretrained encoders/],
      [{ outer: { metaGradient: "blockwise" } }, /must be stepwise or unrolled for textcnn/],
      [
        { distilled: { xInit: XInit.CLASS_MEANS } },
        /--x-init .* must be real or noise for textcnn/,
      ],
      [{ robustness: { artifactId: "a" } }, /robustness is not measured for networks of word/],
    ] as const;
    for (const [draft, words] of cases) {
      assert.throws(() => resolved(ExperimentSpec.fromPartial(draft)), refused(words));
    }
  });

  it("are other tasks with other vectors, whatever their name", () => {
    const keyFor = (embeddings: Partial<typeof EMBEDDINGS>) =>
      cacheKey(
        resolveSpec(emptySpec(), wordFacts(embeddings)).spec,
        { $case: "distill", value: { part: undefined, seed: 0 } },
        "code",
      );
    assert.notEqual(keyFor({}), keyFor({ fingerprint: "f".repeat(64) }));
    assert.equal(keyFor({}), keyFor({ name: "/elsewhere/glove", path: "/elsewhere/glove" }));
  });

  it("refuse vectors that have changed since the draft was resolved", () => {
    const { spec } = resolved();
    assert.throws(
      () => resolveSpec(spec, wordFacts({ fingerprint: "f".repeat(64) })),
      refused(/embeddings_found\.fingerprint must be that of the word vectors found, fff/),
    );
  });

  it("leave an encoder without vectors", () => {
    const { spec } = resolveSpec(emptySpec(), factsOf());
    assert.equal(spec.model?.embeddings, "");
    assert.equal(spec.model?.embeddingsFound, undefined);
  });
});
