import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { FailureKind, StillhouseError } from "../../src/errors.js";
import { parseConfigFile } from "../../src/settings/config-file.js";
import { PRESETS } from "../../src/settings/preset-names.js";

function read(content: string) {
  return Object.fromEntries(parseConfigFile(content, "run.yaml"));
}

function refused(content: string, message: RegExp, field?: string) {
  assert.throws(
    () => parseConfigFile(content, "run.yaml"),
    (error: unknown) => {
      assert.ok(error instanceof StillhouseError, String(error));
      assert.equal(error.kind, FailureKind.INVALID);
      assert.match(error.message, message);
      assert.doesNotMatch(error.message, /\n/);
      if (field !== undefined) assert.equal(error.field, field);
      return true;
    },
  );
}

describe("a config file", () => {
  it("has the flags as keys, with hyphens or underscores, in YAML or JSON", () => {
    const expected = {
      "inner.lr": 0.1,
      "distilled.labels": "LABELS_UNRESTRICTED",
      "outer.accumulate_loss": true,
      "dataset.name": "sst2",
      "baseline.full": true,
      "baseline.random": false,
      "baseline.herding": false,
      "baseline.kcenter": false,
      "baseline.k_means": false,
      "baseline.knn": false,
      "baseline.linear_probe": false,
      "baseline.class_means": false,
      "baseline.adam": false,
      "baseline.setfit": false,
      "baseline.untrained": true,
    };
    assert.deepEqual(
      read(
        "# a comment\ninner-lr: 0.1\nsl: unrestricted\naccumulate_loss: true\ndataset: sst2\nbaselines: [full, untrained]\n",
      ),
      expected,
    );
    const json = {
      inner_lr: 0.1,
      sl: "unrestricted",
      "accumulate-loss": true,
      dataset: "sst2",
      baselines: "full,untrained",
    };
    assert.deepEqual(read(JSON.stringify(json)), expected);
  });

  it("may be empty", () => {
    assert.deepEqual(read(""), {});
    assert.deepEqual(read("# nothing yet\n"), {});
  });

  it("reads none as a choice, and a number as text where a name is expected", () => {
    assert.deepEqual(read("sl: none\nname: 7\n"), {
      "distilled.labels": "LABELS_HARD",
      name: "7",
    });
  });

  it("with an unknown key is refused, with the key that was meant", () => {
    refused("iner-lr: 0.1", /unknown key "iner-lr"; did you mean inner-lr\?/, "iner-lr");
    refused("per_clas: 1", /did you mean per-class\?/);
    refused("something_else: 1", /--help lists all settings/);
  });

  it("with the same setting twice is refused", () => {
    refused("inner-lr: 0.1\ninner_lr: 0.2", /gives inner-lr twice/, "inner.lr");
    refused("seed: 1\nseed: 2", /not valid YAML or JSON: .*unique/i);
  });

  it("that is broken is refused, with the place", () => {
    refused("sl: [none", /run\.yaml is not valid YAML or JSON: .*line 1/);
    refused('{"seed": 1', /not valid YAML or JSON/);
    refused("a: &a [*a]\n", /unknown key|not valid YAML/);
    refused(
      "dataset: &a [*a]\n",
      /not valid YAML or JSON: an alias stands for what it is a part of/,
    );
    refused("sl: *nowhere\n", /not valid YAML or JSON/);
  });

  it("that holds no mapping is refused", () => {
    refused("- sl\n- none\n", /must hold settings as "flag: value"/);
    refused("just text", /must hold settings as "flag: value"/);
  });

  it("with a wrong value is refused, with the key, the field, the value and what is allowed", () => {
    refused(
      "inner_lr_decay: -0.1",
      /^inner_lr_decay in run\.yaml \(inner\.lr_decay\) must be > 0 and ≤ 1e\+30, got -0\.1$/,
      "inner.lr_decay",
    );
    refused("seed: .nan", /must be an integer from 0 to 4294967295, got NaN/);
    refused("lr: .inf", /must be > 0 and ≤ 1e\+30, got Infinity/);
    refused("lr: 1e", /got 1e/);
    refused("sl:", /must be one of none, restricted, unrestricted, got null/);
    refused("steps: {a: 1}", /must be an integer from 1 to 10000, got \{"a":1\}/);
    refused("steps: 1.5", /got 1\.5/);
    refused("accumulate-loss: yes please", /must be true or false, got "yes please"/);
    refused("baselines: [full, rndom]", /did you mean random\?/);
    refused(
      "preset: studi",
      new RegExp(
        `must be one of ${Object.keys(PRESETS).join(", ")}, got studi; did you mean study[?]`,
      ),
    );
    refused("dataset: ''", /must be a name, got ""/);
  });
});
