import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { FailureKind } from "../../src/errors.js";
import { countTasks, planTasks } from "../../src/experiment/domain/plan.js";
import {
  MAX_TASKS_PER_EXPERIMENT,
  MAX_TASKS_PER_SWEEP,
  requireFewTasks,
  requireFewTasksInAll,
} from "../../src/experiment/domain/task-limits.js";
import { OwnerQuota } from "../../src/experiment/scheduling/owner-quota.js";
import { State } from "../../src/generated/stillhouse/v1/experiment.js";
import { Init, RobustnessCheck, RobustnessSpec } from "../../src/generated/stillhouse/v1/spec.js";
import { validateDraft } from "../../src/settings/validate.js";
import { CODE_VERSION, plannedRecord, quickSpec, resolvedSpec } from "../fixtures/experiments.js";

function specWith(inits: number, numTransfers = 0) {
  const spec = quickSpec();
  spec.evaluation = { ...spec.evaluation, inits } as typeof spec.evaluation;
  if (numTransfers === 0) return spec;
  const transferTo = Array.from({ length: numTransfers }, (_, at) => ({ name: `encoder-${at}` }));
  const checks = [RobustnessCheck.ORDER];
  spec.robustness = RobustnessSpec.fromPartial({ artifactId: "a", checks, transferTo });
  return spec;
}

describe("the number of tasks", () => {
  test("is counted without planning, and equals the plan", () => {
    const fixed = specWith(1);
    fixed.model = { ...fixed.model, init: Init.FIXED } as typeof fixed.model;
    const none = resolvedSpec();
    none.evaluation = { ...none.evaluation, inits: 0 } as typeof none.evaluation;
    const some = [0, 1, 9, 10, 19, 20, 57, 100].map((inits) => specWith(inits));
    for (const spec of [...some, resolvedSpec(), specWith(57, 3), fixed, none]) {
      assert.equal(countTasks(spec), planTasks(spec, "ex1", CODE_VERSION).length);
    }
  });

  test("of an experiment is bounded, and the refusal names the setting and the bound", () => {
    assert.equal(requireFewTasks(specWith(10_000)), 1_001);
    const refused = specWith(10_000, 5);
    assert.throws(() => requireFewTasks(refused), {
      kind: FailureKind.INVALID,
      field: "evaluation.inits",
      message: new RegExp(`--inits .* at most ${MAX_TASKS_PER_EXPERIMENT}$`),
    });
  });

  test("of a sweep is bounded", () => {
    const spec = specWith(9_990);
    const fits = Math.floor(MAX_TASKS_PER_SWEEP / 1_000);
    assert.equal(requireFewTasksInAll(Array(fits).fill(spec)), MAX_TASKS_PER_SWEEP);
    assert.throws(() => requireFewTasksInAll(Array(fits + 1).fill(spec)), {
      kind: FailureKind.INVALID,
      field: "specs",
      message: new RegExp(`at most ${MAX_TASKS_PER_SWEEP} tasks .* got 51 specs with 51000 tasks`),
    });
  });

  test("a million test learners are refused in a draft already", () => {
    assert.throws(() => validateDraft(specWith(1_000_000)), {
      field: "evaluation.inits",
      message: /--inits .* from 0 to 10000, got 1000000/,
    });
  });
});

describe("what an owner may have", () => {
  const record = (id: string, owner: string, state = State.QUEUED) => {
    const planned = plannedRecord(id, specWith(40));
    return { ...planned, experiment: { ...planned.experiment, owner, state } };
  };

  test("is counted in tasks as well as in experiments", () => {
    const quota = new OwnerQuota({ experiments: 10, tasks: 12 });
    quota.changed(undefined, record("ex1", "ann"));
    quota.changed(undefined, record("ex2", "ann"));
    quota.changed(record("ex2", "ann"), record("ex2", "ann", State.RUNNING));
    assert.throws(() => quota.requireRoom("ann", { experiments: 1, tasks: 5 }), {
      kind: FailureKind.RATE_LIMITED,
      message: /"ann" has 10 unfinished tasks and asks for 5 more; 12 .*--max-unfinished-tasks/,
    });
    quota.requireRoom("ann", { experiments: 1, tasks: 2 });
    quota.requireRoom("bob", { experiments: 1, tasks: 12 });
    quota.changed(record("ex1", "ann"), record("ex1", "ann", State.SUCCEEDED));
    quota.requireRoom("ann", { experiments: 1, tasks: 7 });
  });

  test("includes experiments that are being stored", () => {
    const quota = new OwnerQuota({ experiments: 2, tasks: 100 });
    const giveBack = quota.reserve("ann", { experiments: 2, tasks: 10 });
    assert.throws(() => quota.requireRoom("ann", { experiments: 1, tasks: 1 }));
    giveBack();
    quota.requireRoom("ann", { experiments: 2, tasks: 10 });
  });
});
