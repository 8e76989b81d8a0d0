import assert from "node:assert/strict";
import { Readable } from "node:stream";
import { describe, it } from "node:test";
import { renderResolved } from "../../src/cli/run/resolved-view.js";
import { colorsOf } from "../../src/cli/terminal/terminal.js";
import { StillhouseError } from "../../src/errors.js";
import { draftOfArtifact } from "../../src/experiment/domain/artifact-draft.js";
import {
  ExperimentSpec,
  LabelInit,
  Labels,
  LrParametrisation,
  Preset,
} from "../../src/generated/stillhouse/v1/spec.js";
import { completedSpec } from "../../src/settings/earlier-spec.js";
import { emptySpec, writeField } from "../../src/settings/field-path.js";
import { resolveSpec } from "../../src/settings/resolve.js";
import { CUDA, factsOf } from "../fixtures/facts.js";

type Given = Record<string, string | number | boolean>;

function draftOf(given: Given): ExperimentSpec {
  const draft = emptySpec();
  writeField(draft, "preset", Preset.STUDY);
  for (const [path, value] of Object.entries(given)) writeField(draft, path, value);
  return draft;
}

function resolved(given: Given = {}, facts = factsOf()) {
  return resolveSpec(draftOf(given), facts);
}

function refusal(given: Given, facts = factsOf()): string {
  try {
    resolved(given, facts);
  } catch (error) {
    assert.ok(error instanceof StillhouseError, String(error));
    return `${error.field}: ${error.message}`;
  }
  return "";
}

const SOFT = { "distilled.labels": Labels.UNRESTRICTED };
const THREE = { ...SOFT, "distilled.samples": 3 };

describe("a number of samples", () => {
  it("replaces that per class, and is a change of its own", () => {
    const { spec, description } = resolved(THREE);
    assert.deepEqual([spec.distilled?.perClass, spec.distilled?.samples], [0, 3]);
    assert.deepEqual(description.changedFields, ["distilled.labels", "distilled.samples"]);
    assert.deepEqual(resolveSpec(spec, factsOf()).spec, spec, "resolves to the same again");
    assert.equal(resolved({ "distilled.per_class": 2 }).spec.distilled?.samples, 0);
  });

  it("excludes one per class", () => {
    assert.match(
      refusal({ ...THREE, "distilled.per_class": 2 }),
      /^distilled.samples: --per-class .* and --samples .* exclude each other, got 2 and 3/,
    );
    assert.match(refusal({ "distilled.per_class": 0 }), /--per-class .* from 1 to/);
  });

  it("covers all classes where labels are hard", () => {
    assert.match(
      refusal({ "distilled.samples": 3 }),
      /^distilled.samples: --samples .* must cover all 4 classes with hard labels .*, got 3/,
    );
    assert.equal(refusal({ "distilled.samples": 5 }), "");
    const missing = { "distilled.samples": 5, "distilled.sample_classes": "0,1,2,2,1" };
    assert.match(refusal(missing), /^distilled.sample_classes: .* must cover all 4 classes/);
    assert.equal(refusal({ ...SOFT, ...missing }), "");
  });

  it("may come with the classes that they start from", () => {
    const classes = (list: string) => refusal({ ...THREE, "distilled.sample_classes": list });
    assert.equal(classes("0,3,3"), "");
    assert.match(classes("0,3"), /must name as many classes as --samples says, 3, got 2/);
    assert.match(classes("0,4,1"), /must be numbers from 0 to 3, .* got 4/);
    assert.match(classes("0;3;1"), /must be numbers with commas between them, got/);
  });
});

describe("the start of labels", () => {
  it("is one-hot, or what soft labels are told to be", () => {
    const smoothed = { "distilled.label_init": LabelInit.SMOOTHED };
    assert.equal(resolved().spec.distilled?.labelInit, LabelInit.ONE_HOT);
    assert.equal(refusal({ ...SOFT, ...smoothed }), "");
    assert.match(refusal(smoothed), /^distilled.label_init: .* needs --sl restricted/);
  });
});

describe("blocks and passes", () => {
  const steps = (given: Given) => {
    const { inner, distilled } = resolved(given).spec;
    return [distilled?.blocks, inner?.passes, inner?.steps];
  };

  it("make the inner steps, of which passes are all where there is one block", () => {
    assert.deepEqual(steps({}), [1, 1, 1]);
    assert.deepEqual(steps({ "inner.steps": 3 }), [1, 3, 3]);
    assert.deepEqual(steps({ "inner.passes": 3 }), [1, 3, 3]);
    assert.deepEqual(steps({ "distilled.blocks": 10 }), [10, 1, 10]);
    assert.deepEqual(steps({ "distilled.blocks": 10, "inner.passes": 3 }), [10, 3, 30]);
    assert.deepEqual(steps({ "distilled.blocks": 10, "inner.steps": 30 }), [10, 3, 30]);
    const all = { "distilled.blocks": 10, "inner.passes": 3, "inner.steps": 30 };
    assert.deepEqual(steps(all), [10, 3, 30]);
  });

  it("are refused where the steps disagree", () => {
    const blocks = { "distilled.blocks": 10 };
    assert.match(
      refusal({ ...blocks, "inner.steps": 25 }),
      /^inner.steps: --steps .* multiple of --blocks, .* got 25 with --blocks 10 --passes 2/,
    );
    assert.match(refusal({ ...blocks, "inner.steps": 3 }), /got 3 with --blocks 10 --passes 1/);
    assert.match(refusal({ "inner.passes": 2, "inner.steps": 3 }), /got 3 with --blocks 1/);
  });

  it("say once what was changed", () => {
    const changed = (given: Given) => resolved(given).description.changedFields;
    assert.deepEqual(changed({ "inner.steps": 3 }), ["inner.steps"]);
    assert.deepEqual(changed({ "inner.passes": 3 }), ["inner.steps"]);
    const blocks = { "distilled.blocks": 10, "inner.passes": 3 };
    assert.deepEqual(changed(blocks), ["distilled.blocks", "inner.passes"]);
    const { spec } = resolved(blocks);
    assert.deepEqual(resolveSpec(spec, factsOf()).spec, spec, "resolves to the same again");
  });

  it("are shown with the samples before a run", () => {
    const shown = (given: Given) => {
      const text = renderResolved({ ...resolved(given), tasks: [] }, colorsOf(false), undefined);
      return text.split("\n").find((line) => line.startsWith("Steps"));
    };
    const blocks = { "distilled.blocks": 10, "inner.passes": 3 };
    assert.match(
      shown(blocks) ?? "",
      /, 30 inner \(3 passes over 10 blocks\), 1 distilled per class and block × 512 vectors$/,
    );
    assert.match(shown({ ...THREE, ...blocks }) ?? "", /, 3 distilled per block × 512 vectors$/);
    assert.match(shown(THREE) ?? "", /, 1 inner, 3 distilled × 512 vectors$/);
  });

  it("are all stored, and one of them at a time needs memory", () => {
    const bytes = (given: Given) => Number(resolved(given).description.artifactBytes);
    assert.equal(bytes({ "distilled.blocks": 10 }), 10 * bytes({}));
    assert.equal(bytes(THREE) * 4, bytes(SOFT) * 3);
    const memory = (given: Given) =>
      resolved(given, factsOf({ device: CUDA })).spec.compute?.memoryMib;
    const kept = { "inner.passes": 2, "outer.batch_size": 1, "distilled.per_class": 10 };
    const ten = { ...kept, "distilled.blocks": 5, "inner.passes": 1 };
    assert.equal(memory(ten), memory({ ...kept, "inner.passes": 5 }));
  });

  it("need rows to compare with", () => {
    const facts = factsOf({ dataset: { train_rows: 40 } });
    assert.match(
      refusal({ "distilled.blocks": 11 }, facts),
      /^distilled.blocks: --blocks .* must be at most 10, the blocks of 4 samples/,
    );
    assert.match(refusal({ ...SOFT, "distilled.samples": 41 }, facts), /--samples .* at most 40/);
  });
});

describe("the window of the meta-gradient", () => {
  it("is at most all inner steps", () => {
    assert.equal(resolved().spec.outer?.window, 0);
    assert.equal(refusal({ "inner.steps": 5, "outer.window": 5 }), "");
    assert.match(
      refusal({ "inner.steps": 5, "outer.window": 6 }),
      /^outer.window: --window .* must be at most 5, the number of inner steps, got 6/,
    );
  });
});

describe("the memory of a window", () => {
  it("is that of as many steps", () => {
    const memory = (given: Given) =>
      resolved(given, factsOf({ device: CUDA })).spec.compute?.memoryMib;
    const steps = { "outer.batch_size": 1, "distilled.per_class": 10 };
    const windowed = { ...steps, "inner.steps": 20, "outer.window": 3 };
    assert.equal(memory(windowed), memory({ ...steps, "inner.steps": 3 }));
    assert.notEqual(memory(windowed), memory({ ...steps, "inner.steps": 20 }));
  });
});

describe("a spec from before there were blocks", () => {
  it("is completed with one block, one-hot labels and the passes of its steps", () => {
    const { spec } = resolved({ "inner.steps": 3 });
    const earlier = structuredClone(spec);
    Object.assign(earlier.distilled ?? {}, {
      samples: undefined,
      sampleClasses: undefined,
      blocks: undefined,
      labelInit: LabelInit.UNSPECIFIED,
    });
    Object.assign(earlier.inner ?? {}, {
      passes: undefined,
      lrParametrisation: LrParametrisation.UNSPECIFIED,
    });
    Object.assign(earlier.outer ?? {}, { window: undefined });
    assert.deepEqual(completedSpec(earlier), spec);
  });
});

describe("the draft of an experiment on distilled data in blocks", () => {
  it("resolves, and counts the samples of a block", async () => {
    const { spec } = resolved({ ...THREE, "distilled.blocks": 2 });
    const manifest = {
      dataset: { class_names: ["a", "b", "c", "d"] },
      spec: ExperimentSpec.toJSON(spec),
    };
    const read = () => Readable.from([Buffer.from(JSON.stringify(manifest))]);
    const draft = await draftOfArtifact({ read }, "a1", emptySpec());
    assert.equal(draft.robustness?.numSamples, 3);
    assert.deepEqual(resolveSpec(draft, factsOf()).spec.distilled, spec.distilled);
  });
});
