import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { parseReproduceArguments } from "../../src/cli/reproduce/reproduce-arguments.js";
import { cellsOf } from "../../src/cli/reproduce/reproduce-cells.js";
import { StillhouseError } from "../../src/errors.js";
import { cacheKey } from "../../src/experiment/domain/cache-key.js";
import {
  AttentionLabels,
  AttentionLoss,
  type DistilledSpec,
  ExperimentSpec,
  HiddenInit,
  HiddenLabels,
} from "../../src/generated/stillhouse/v1/spec.js";
import { distilledLabel, shortLabel, variantOf } from "../../src/results/spec-labels.js";
import { completedSpec } from "../../src/settings/earlier-spec.js";
import { resolveSpec } from "../../src/settings/resolve.js";
import { INTERNAL_TABLES } from "../../src/study/internal-tables.js";
import { factsOf } from "../fixtures/facts.js";

type Distilled = Partial<DistilledSpec>;

function resolved(distilled: Distilled = {}, facts = factsOf()) {
  return resolveSpec(ExperimentSpec.fromPartial({ distilled }), facts);
}

function key(spec: ExperimentSpec): string {
  return cacheKey(spec, { $case: "distill", value: { part: undefined, seed: 0 } }, "code");
}

const CLS = { hiddenLabels: HiddenLabels.CLS };

describe("hidden labels", () => {
  it("are L x E numbers per sample in the artifact", () => {
    const { num_layers: layers, width } = factsOf().model;
    const bytes = (given: Distilled) => Number(resolved(given).description.artifactBytes);
    const perSample = layers * width * 4;
    assert.equal(bytes(CLS) - bytes({}), factsOf().dataset.class_names.length * perSample);
  });

  it("are named where distilled data is", () => {
    const { spec } = resolved(CLS);
    assert.equal(variantOf(spec), "none + hidden cls");
    assert.equal(distilledLabel(spec), "Distilled data + HL cls");
    assert.equal(shortLabel(spec), "HL cls");
    const both = { ...CLS, attentionLabels: AttentionLabels.CLS, attentionLoss: AttentionLoss.MUL };
    assert.equal(shortLabel(resolved(both).spec), "AL cls (mul) + HL cls");
  });

  it("have two tables, each row of which is another experiment with another name", () => {
    for (const { id, rows } of INTERNAL_TABLES) {
      const cells = cellsOf({ tables: [id], seeds: [0, 1, 2], given: new Map() }, undefined);
      assert.equal(cells.length, 3 * 28);
      const specs = cells.slice(0, 28).map(({ draft }) => resolveSpec(draft, factsOf()).spec);
      assert.equal(new Set(specs.map(key)).size, 28);
      assert.equal(new Set(specs.map((spec) => shortLabel(spec))).size, 28);
      const figures = rows.flatMap(({ figure }) => (figure ? [figure.mean] : []));
      assert.deepEqual(figures, [86.3, 88.0, 90.7, 84.8, 86.9], "the study's, and no others");
    }
  });

  it("run as a table with flags for all rows, but for what the rows choose", () => {
    const surroundings = { userFolder: "/", dataDir: undefined, token: undefined, columns: 100 };
    const parse = (...argv: string[]) => parseReproduceArguments(argv, surroundings);
    const run = parse("hidden-labels", "--hidden-init", "noise", "--preset", "cpu");
    assert.deepEqual(run.kind === "run" && run.tables, ["hidden-labels"]);
    assert.throws(
      () => parse("hidden-labels", "--hidden-labels", "cls"),
      /--hidden-labels \(distilled.hidden_labels\) is what hidden-labels chooses/,
    );
  });

  it("are refused by name for learners without hidden states of a first token", () => {
    const image = { channels: 1, height: 28, width: 28 };
    const without = { num_layers: 0, num_heads: 0, staged: false, pooling: "" } as const;
    const images = factsOf({ dataset: { image }, model: { ...without, name: "lenet" } });
    const vectors = { path: "/g", fingerprint: "e", words: 9, width: 100, train_coverage: 1 };
    const embeddings = { name: "g", source: "local" as const, ...vectors };
    const words = factsOf({ model: { ...without, name: "textcnn", embeddings } });
    for (const [facts, reason] of [
      [images, /--hidden-labels \(distilled.hidden_labels\) is for texts/],
      [words, /--hidden-labels \(distilled.hidden_labels\) is for pretrained encoders/],
    ] as const) {
      assert.equal(resolved({}, facts).spec.distilled?.hiddenLabels, HiddenLabels.NONE);
      assert.throws(
        () => resolved(CLS, facts),
        (error: unknown) => error instanceof StillhouseError && reason.test(error.message),
      );
    }
  });

  it("have a weight above 0 where it is learned", () => {
    assert.throws(
      () => resolved({ ...CLS, learnHiddenWeight: true, hiddenWeight: 0 }),
      /--hidden-weight \(distilled.hidden_weight\) must be > 0 with --learn-hidden-weight/,
    );
    assert.equal(resolved({ ...CLS, hiddenWeight: 0 }).spec.distilled?.hiddenWeight, 0);
  });

  it("and other attention losses make other tasks, and tasks without them stay the same", () => {
    const { spec } = resolved();
    const earlier = structuredClone(spec);
    for (const field of Object.keys(earlier.distilled ?? {})) {
      if (/^hidden|^learnHidden|^attentionLoss/.test(field)) {
        delete (earlier.distilled as Record<string, unknown> | undefined)?.[field];
      }
    }
    assert.equal(key(earlier), key(spec));
    assert.deepEqual(completedSpec(earlier), spec);
    const others: Distilled[] = [
      CLS,
      { ...CLS, hiddenInit: HiddenInit.NOISE },
      { attentionLoss: AttentionLoss.MUL },
    ];
    const keys = others.map((given) => key(resolved(given).spec));
    assert.equal(new Set([key(spec), ...keys]).size, 4);
  });
});
