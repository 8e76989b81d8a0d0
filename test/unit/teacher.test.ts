import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { countTasks, planTasks } from "../../src/experiment/domain/plan.js";
import { poolOf } from "../../src/experiment/domain/record.js";
import { startable } from "../../src/experiment/domain/startable.js";
import { completeTask, leaseTask } from "../../src/experiment/domain/transitions.js";
import { TaskResult } from "../../src/generated/stillhouse/v1/experiment.js";
import {
  AttentionInit,
  AttentionLabels,
  AttentionLoss,
  type ExperimentSpec,
  HiddenLabels,
  Init,
  InternalLabels,
} from "../../src/generated/stillhouse/v1/spec.js";
import { shortLabel } from "../../src/results/spec-labels.js";
import { taskNames } from "../../src/results/task-names.js";
import { completedSpec } from "../../src/settings/earlier-spec.js";
import { writeField } from "../../src/settings/field-path.js";
import { resolveSpec } from "../../src/settings/resolve.js";
import { NOW, plannedRecord, refusal, resolvedSpec } from "../fixtures/experiments.js";
import { factsOf } from "../fixtures/facts.js";

type Given = Record<string, string | number>;

const TEACHER = { "distilled.internal_labels": InternalLabels.TEACHER };
const CLS = { "distilled.attention_labels": AttentionLabels.CLS };

function taught(given: Given = {}): ExperimentSpec {
  return resolvedSpec((draft) => {
    for (const [path, value] of Object.entries({ ...TEACHER, ...CLS, ...given })) {
      writeField(draft, path, value);
    }
  });
}

function keysOf(spec: ExperimentSpec): Map<string, string> {
  const tasks = planTasks(spec, "ex1", "c0de");
  return new Map(tasks.map(({ id, cacheKey }) => [id.replace("ex1-", ""), cacheKey]));
}

function changed(one: ExperimentSpec, other: ExperimentSpec): string[] {
  const after = keysOf(other);
  return [...keysOf(one)].flatMap(([name, key]) => (after.get(name) === key ? [] : [name]));
}

describe("labels of a teacher", () => {
  it("need labels that it gives, and no start", () => {
    assert.match(refusal(TEACHER), /^--internal-labels .* teacher needs labels .*--al cls/);
    assert.equal(refusal({ ...TEACHER, ...CLS }), "");
    assert.equal(refusal({ ...TEACHER, "distilled.hidden_labels": HiddenLabels.CLS }), "");
    assert.match(
      refusal({ ...TEACHER, ...CLS, "distilled.attention_init": AttentionInit.NOISE }),
      /^--attention-init .* is where learned labels start/,
    );
  });

  it("are resolved to themselves, and learned in specs from before", () => {
    const spec = taught();
    assert.deepEqual(resolveSpec(spec, factsOf()).spec, spec);
    const earlier = structuredClone(resolvedSpec());
    Object.assign(earlier.distilled ?? {}, { internalLabels: InternalLabels.UNSPECIFIED });
    assert.deepEqual(completedSpec(earlier), resolvedSpec());
    assert.deepEqual(keysOf(earlier), keysOf(resolvedSpec()));
  });

  it("are named where distilled data is", () => {
    const both = taught({
      "distilled.hidden_labels": HiddenLabels.CLS,
      "distilled.attention_loss": AttentionLoss.MUL,
    });
    assert.match(shortLabel(both), /AL cls \(mul, teacher\) \+ HL cls \(teacher\)/);
  });

  it("wait for the one learner that they are from, which nothing else waits for", () => {
    let record = plannedRecord("ex1", taught());
    const names = (mayStart: ReturnType<typeof startable>) =>
      record.tasks.flatMap(({ task }) => (mayStart(task) ? [task.id.replace("ex1-", "")] : []));
    const before = names(startable(record));
    assert.ok(before.includes("teacher") && before.includes("random"));
    assert.ok(!before.includes("distill"));
    const id = "ex1-teacher";
    const result = TaskResult.fromPartial({
      kind: { $case: "pretrain", value: { artifact: { id }, accuracies: [0.9] } },
    });
    record = completeTask(leaseTask(record, id, NOW), id, result, NOW);
    assert.ok(names(startable(record)).includes("distill"));
    for (const { task } of record.tasks) {
      assert.deepEqual(poolOf(record, task), task.id === "ex1-distill" ? [id] : [], task.id);
    }
    const tasks = record.tasks.map(({ task }) => task);
    assert.ok(taskNames(tasks, taught()).includes("Teacher"));
  });

  it("are trained for as many tasks as are counted, beside a pool too", () => {
    const pooled = { "model.init": Init.POOL, "pool.size": 3 };
    for (const spec of [taught(), taught(pooled), taught({ "evaluation.inits": 0 })]) {
      assert.equal(countTasks(spec), planTasks(spec, "ex1", "c").length);
    }
    assert.ok(!keysOf(resolvedSpec()).has("teacher"));
  });

  it("share their teacher between seeds and distillations, and train another for full data", () => {
    const one = taught();
    assert.ok(!changed(one, { ...one, seed: 8 }).includes("teacher"));
    assert.deepEqual(changed(one, taught({ "outer.lr": 0.5 })), ["distill", "evaluate"]);
    const others = changed(one, taught({ "baseline.full_lr": 3e-5 }));
    assert.deepEqual(others, ["teacher", "distill", "evaluate", "full"]);
  });
});
