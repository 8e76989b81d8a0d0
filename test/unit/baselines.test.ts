import assert from "node:assert/strict";
import { test } from "node:test";
import { BASELINES, baselineOfKind, OF_SAMPLES } from "../../src/baselines.js";
import {
  BaselineKind,
  baselineKindFromJSON,
  SampleSource,
  sampleSourceFromJSON,
  Task,
} from "../../src/generated/stillhouse/v1/experiment.js";
import { Init } from "../../src/generated/stillhouse/v1/spec.js";
import { taskName } from "../../src/results/task-names.js";
import { emptySpec, writeField } from "../../src/settings/field-path.js";
import { fieldsOf } from "../../src/settings/setting.js";
import { SETTINGS, settingOf } from "../../src/settings/settings.js";

test("the protos and the table have the same baselines", () => {
  const kinds = Object.values(BaselineKind).filter(
    (kind) => kind !== BaselineKind.UNSPECIFIED && kind !== BaselineKind.UNRECOGNIZED,
  );
  assert.deepEqual(
    BASELINES.map(({ kind }) => baselineKindFromJSON(kind)).sort(),
    [...kinds].sort(),
  );
  for (const { samples } of OF_SAMPLES) {
    assert.notEqual(sampleSourceFromJSON(samples), SampleSource.UNRECOGNIZED, samples);
  }
});

test("each baseline has its switch, and its cache parts are settings", () => {
  const fields = SETTINGS.flatMap(fieldsOf);
  for (const { flag, field, cacheParts } of BASELINES) {
    const path = `baseline.${flag.replaceAll("-", "_")}`;
    assert.equal(settingOf(path).flag, "baselines");
    const spec = emptySpec();
    writeField(spec, path, true);
    assert.equal(spec.baseline?.[field], true);
    for (const field of cacheParts) assert.ok(fields.includes(field), field);
  }
});

test("a baseline's task has the name of its row", () => {
  for (const { kind } of BASELINES) {
    const task = Task.fromJSON({ work: { baseline: { kind } } });
    assert.equal(taskName(task, emptySpec()), baselineOfKind(kind)?.label);
  }
  const untrained = Task.fromJSON({ work: { baseline: { kind: "BASELINE_KIND_UNTRAINED" } } });
  const pooled = emptySpec();
  writeField(pooled, "model.init", Init.POOL);
  assert.equal(taskName(untrained, pooled), "Pretrained learner");
});
