import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { describe, it } from "node:test";
import { ExperimentSpec } from "../../src/generated/stillhouse/v1/spec.js";
import {
  emptySpec,
  type FieldValue,
  readField,
  writeField,
} from "../../src/settings/field-path.js";
import { specHash } from "../../src/settings/hash.js";
import { resolveSpec } from "../../src/settings/resolve.js";
import { factsOf } from "../fixtures/facts.js";

const ROOT = join(import.meta.dirname, "..", "..");

/** What Python's json_format says of a spec, and which fields its message description has unset. */
function pythonView(spec: ExperimentSpec): { json: unknown; unset: string[] } {
  const { stdout, stderr, status } = spawnSync(
    join(ROOT, ".venv", "bin", "python"),
    [join(ROOT, "test", "fixtures", "spec-json.py")],
    {
      input: ExperimentSpec.encode(spec).finish(),
      encoding: "utf8",
      env: { PYTHONPATH: join(ROOT, "python_worker") },
    },
  );
  assert.equal(status, 0, stderr);
  return JSON.parse(stdout);
}

function resolvedSpec(): ExperimentSpec {
  return resolveSpec(emptySpec(), factsOf()).spec;
}

/** Paths of all fields of a resolved spec, by walking the message. */
function pathsOf(message: object, prefix = ""): string[] {
  return Object.entries(message).flatMap(([key, value]) => {
    const name = `${prefix}${key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)}`;
    if (value === undefined) return []; // robustness, where nothing is evaluated for it
    return typeof value === "object" && value !== null ? pathsOf(value, `${name}.`) : [name];
  });
}

function another(value: FieldValue | undefined): FieldValue {
  if (typeof value === "number") return value + 1;
  if (typeof value === "boolean") return !value;
  // Any other name of the same enum will do.
  return ENUM_OTHERS[String(value)] ?? `${value} changed`;
}

const ENUM_OTHERS: Readonly<Record<string, string>> = {
  PRESET_CPU: "PRESET_STUDY",
  SOURCE_LOCAL: "SOURCE_HUB",
  SOURCE_PACKAGED: "SOURCE_HUB",
  HEAD_INIT_DEFAULT: "HEAD_INIT_NORMAL",
  INIT_RANDOM: "INIT_FIXED",
  X_INIT_NOISE: "X_INIT_REAL",
  LABELS_HARD: "LABELS_RESTRICTED",
  ATTENTION_LABELS_NONE: "ATTENTION_LABELS_CLS",
  ATTENTION_REDUCTION_ELEMENTWISE: "ATTENTION_REDUCTION_KEYS",
  ATTENTION_LOSS_KL: "ATTENTION_LOSS_MSE",
  HIDDEN_LABELS_NONE: "HIDDEN_LABELS_CLS",
  HIDDEN_LOSS_COSINE: "HIDDEN_LOSS_MSE",
  HIDDEN_INIT_SAMPLES: "HIDDEN_INIT_NOISE",
  HIDDEN_SCHEDULE_ALL: "HIDDEN_SCHEDULE_STACKED",
  FLOAT_TYPE_FP32: "FLOAT_TYPE_FP16",
  FLOAT_TYPE_BF16: "FLOAT_TYPE_FP16",
  LEARN_LR_NONE: "LEARN_LR_SHARED",
  OUTER_OPTIMISER_ADAM: "OUTER_OPTIMISER_SGD",
  LR_SCHEDULE_LINEAR: "LR_SCHEDULE_STEP",
  LABEL_INIT_ONE_HOT: "LABEL_INIT_NOISE",
  LR_PARAMETRISATION_EXP: "LR_PARAMETRISATION_SOFTPLUS",
  PROTOCOL_VALIDATION: "PROTOCOL_PAPER",
};

describe("a resolved spec, seen through the proto", () => {
  const spec = resolvedSpec();
  const python = pythonView(spec);

  it("has every field of the message set", () => {
    assert.deepEqual(python.unset, []);
  });

  it("of a draft has unset fields, so that the walk is known to find them", () => {
    assert.ok(pythonView(emptySpec()).unset.includes("inner.lr"));
    assert.ok(pythonView(emptySpec()).unset.includes("dataset.source"));
  });

  it("is the JSON that Python writes with the proto's field names", () => {
    assert.deepEqual(JSON.parse(JSON.stringify(ExperimentSpec.toJSON(spec))), python.json);
  });

  it("comes back from its JSON unchanged", () => {
    assert.deepEqual(ExperimentSpec.fromJSON(python.json), spec);
  });
});

describe("specHash", () => {
  it("changes with every field but the name", () => {
    const original = specHash(resolvedSpec());
    const ignored = pathsOf(resolvedSpec()).filter((path) => {
      const changed = resolvedSpec();
      writeField(changed, path, another(readField(changed, path)));
      return specHash(changed) === original;
    });
    assert.deepEqual(ignored, ["name"]);
  });

  it("is the same for equal specs, whatever the order in which they were filled in", () => {
    const spec = resolvedSpec();
    const reversed = Object.fromEntries(
      Object.entries(spec).reverse(),
    ) as unknown as ExperimentSpec;
    assert.equal(specHash(reversed), specHash(spec));
    assert.match(specHash(spec), /^[0-9a-f]{64}$/);
  });

  it("treats 0 and -0 alike", () => {
    const [zero, negative] = [resolvedSpec(), resolvedSpec()].map((spec) => spec);
    assert.ok(zero && negative);
    writeField(zero, "outer.warmup_fraction", 0);
    writeField(negative, "outer.warmup_fraction", -0);
    assert.equal(
      specHash(resolveSpec(negative, factsOf()).spec),
      specHash(resolveSpec(zero, factsOf()).spec),
    );
  });
});
