import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { StillhouseError } from "../../src/errors.js";
import { ExperimentSpec, Init, Labels, LearnLr } from "../../src/generated/stillhouse/v1/spec.js";
import { emptySpec, type FieldValue, writeField } from "../../src/settings/field-path.js";
import { resolveSpec } from "../../src/settings/resolve.js";
import { fieldsOf, type Setting } from "../../src/settings/setting.js";
import { SETTINGS } from "../../src/settings/settings.js";
import { validateDraft, validateSpec } from "../../src/settings/validate.js";
import { factsOf } from "../fixtures/facts.js";

/** A value beyond each kind of setting, and beyond each end of a range. */
function wrongValues(setting: Setting): FieldValue[] {
  switch (setting.kind) {
    case "number": {
      const { min, max, aboveMin, belowMax, integer } = setting.range;
      return [
        aboveMin ? min : min - 1,
        Number.NaN,
        Number.POSITIVE_INFINITY,
        ...(max === undefined ? [] : [belowMax ? max : 2 * max + 1]),
        ...(integer ? [min + 0.5] : []),
      ];
    }
    case "choice":
      return ["SOMETHING_ELSE", "UNRECOGNIZED"];
    case "text":
      return ["two\nlines"];
    default:
      return [];
  }
}

function fieldAtFault(check: () => void): string {
  try {
    check();
  } catch (error) {
    assert.ok(error instanceof StillhouseError, String(error));
    return error.field;
  }
  return "nothing was refused";
}

describe("validateSpec", () => {
  for (const setting of SETTINGS) {
    it(`refuses what --${setting.flag} does not take, in a spec and in a draft`, () => {
      for (const value of wrongValues(setting)) {
        const { spec } = resolveSpec(emptySpec(), factsOf());
        writeField(spec, setting.path, value);
        // Epochs 0 in a resolved spec means that steps were given.
        const isMeant = setting.path === "outer.epochs" && value === 0;
        if (!isMeant)
          assert.equal(
            fieldAtFault(() => validateSpec(spec)),
            setting.path,
            `${value}`,
          );
        const draft = emptySpec();
        writeField(draft, setting.path, value);
        assert.equal(
          fieldAtFault(() => validateDraft(draft)),
          setting.path,
          `${value}`,
        );
      }
    });
  }

  it("refuses a spec in which any one field is not set", () => {
    for (const path of [
      ...SETTINGS.flatMap(fieldsOf),
      "dataset.fingerprint",
      "dataset.substitute_for",
      "model.fingerprint",
      "model.substitute_for",
    ]) {
      const { spec } = resolveSpec(emptySpec(), factsOf());
      writeField(spec, path, undefined as unknown as string);
      assert.equal(
        fieldAtFault(() => validateSpec(spec)),
        path,
      );
    }
  });

  it("refuses specs that no resolution returns", () => {
    assert.equal(
      fieldAtFault(() => validateSpec(ExperimentSpec.create())),
      "dataset.name",
    );
    for (const [path, value, field] of [
      ["compute.device", "auto", "compute.device"],
      ["model.init", Init.FIXED, "evaluation.inits"],
      ["outer.validations", 0, "outer.validations"],
      ["inner.learn_lr", LearnLr.NONE, "inner.lr"],
      ["dataset.source", "SOURCE_UNSPECIFIED", "dataset.source"],
      ["dataset.data_dir", "", "dataset.data_dir"],
      ["model.fingerprint", "", "model.fingerprint"],
    ] as const) {
      const { spec } = resolveSpec(emptySpec(), factsOf());
      writeField(spec, path, value);
      assert.equal(
        fieldAtFault(() => validateSpec(spec)),
        field,
        path,
      );
    }
  });

  it("refuses to compile for a method that has no blocks", () => {
    const { spec } = resolveSpec(emptySpec(), factsOf());
    writeField(spec, "outer.compile", true);
    writeField(spec, "outer.meta_gradient", "blockwise");
    assert.doesNotThrow(() => validateSpec(spec));
    writeField(spec, "outer.meta_gradient", "stepwise");
    assert.equal(
      fieldAtFault(() => validateSpec(spec)),
      "outer.compile",
    );
  });

  it("names the flag, the field, the allowed values and the value", () => {
    const draft = emptySpec();
    writeField(draft, "inner.lr_decay", -0.1);
    assert.throws(() => validateDraft(draft), {
      message: "--inner-lr-decay (inner.lr_decay) must be > 0 and ≤ 1e+30, got -0.1",
    });
  });

  it("accepts an empty draft, and one whose groups are missing", () => {
    validateDraft(emptySpec());
    validateDraft(ExperimentSpec.create());
    validateDraft(ExperimentSpec.fromPartial({ distilled: { labels: Labels.HARD } }));
  });
});
