import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { parseExperimentArguments } from "../../src/cli/experiment/experiment-arguments.js";
import { changesText, experimentCommand } from "../../src/cli/experiment/spec-command.js";
import { AttentionLabels, Preset } from "../../src/generated/stillhouse/v1/spec.js";
import { emptySpec, type FieldValue, writeField } from "../../src/settings/field-path.js";
import { resolveSpec } from "../../src/settings/resolve.js";
import { CUDA, factsOf } from "../fixtures/facts.js";

function resolved(given: Record<string, FieldValue>, facts = factsOf()) {
  const draft = emptySpec();
  for (const [path, value] of Object.entries(given)) writeField(draft, path, value);
  return resolveSpec(draft, facts).spec;
}

describe("the command of a resolved spec", () => {
  const CASES: [string, Record<string, FieldValue>, ReturnType<typeof factsOf>][] = [
    ["of a preset as it is", {}, factsOf()],
    ["with switches, epochs, and baselines", { "outer.accumulate_loss": true, "outer.epochs": 2.5, "baseline.herding": true, "baseline.full": false }, factsOf()],
    ["with values that would else be derived", { "distilled.attention_labels": AttentionLabels.CLS, "distilled.attention_lambda": 0, "outer.meta_gradient": "unrolled", "inner.steps": 3, "inner.lr_decay": 1e-7 }, factsOf()],
    ["of the study's preset on a GPU", { preset: Preset.STUDY, seed: 4_294_967_295, "outer.steps": 7 }, factsOf({ device: CUDA })],
  ]; // biome-ignore format: one case per line

  for (const [name, given, facts] of CASES) {
    it(`${name} gives that spec again, even where a device would lead to other choices`, () => {
      const spec = resolved(given, facts);
      const words = experimentCommand(spec).split(" ").slice(4);
      const surroundings = { userFolder: "/", dataDir: undefined, columns: undefined };
      const request = parseExperimentArguments(words, surroundings);
      assert.ok(request.kind === "new");
      const elsewhere = factsOf({ device: { ...facts.device, bf16: false } });
      assert.deepEqual(resolveSpec(request.draft, elsewhere).spec, spec);
    });
  }
});

describe("what differs from a preset", () => {
  it("is shown beside the preset's values where they are known", () => {
    const spec = resolved({
      ...{ preset: Preset.CPU, "outer.steps": 200, "evaluation.inits": 3 },
      ...{ "inner.steps": 3 },
    });
    assert.equal(
      changesText(spec, ["compute.precision", "inner.steps"]),
      "inner-precision bf16, outer-steps 200 (700), inits 3 (10)",
    );
  });
});
