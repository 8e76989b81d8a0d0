import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { FailureKind } from "../../src/errors.js";
import { countTasks, planTasks } from "../../src/experiment/domain/plan.js";
import { type ExperimentRecord, findTask } from "../../src/experiment/domain/record.js";
import { startable } from "../../src/experiment/domain/startable.js";
import {
  completeTask,
  failTask,
  leaseTask,
  resumeExperiment,
} from "../../src/experiment/domain/transitions.js";
import { State, TaskResult } from "../../src/generated/stillhouse/v1/experiment.js";
import { Init } from "../../src/generated/stillhouse/v1/spec.js";
import { experimentResult } from "../../src/results/experiment-result.js";
import {
  CODE_VERSION,
  failureOf,
  NOW,
  plannedRecord,
  resolvedSpec,
  statesOf,
} from "../fixtures/experiments.js";

function specOf(fullInits: number | undefined, fullLr = 0) {
  const spec = resolvedSpec();
  spec.baseline = { ...spec.baseline, fullInits, fullLr } as typeof spec.baseline;
  return spec;
}

function fullTasks(spec: ReturnType<typeof specOf>) {
  const tasks = planTasks(spec, "ex1", CODE_VERSION);
  assert.equal(countTasks(spec), tasks.length);
  return tasks.filter(({ id }) => id.startsWith("ex1-full"));
}

function worksOf(spec: ReturnType<typeof specOf>) {
  return fullTasks(spec).flatMap(({ work }) =>
    work?.kind?.$case === "baseline" ? [work.kind.value] : [],
  );
}

/** A learner of full data that found a rate. */
function found(chosenLr: number, accuracy = 0.9): TaskResult {
  const inits = [{ initSeed: 1, accuracy }];
  return TaskResult.fromPartial({ kind: { $case: "learners", value: { inits, chosenLr } } });
}

function isReady(record: ExperimentRecord, name: string): boolean {
  const entry = findTask(record, `ex1-${name}`);
  assert.ok(entry);
  return startable(record)(entry.task);
}

describe("learners on full data", () => {
  it("have a task each, the first of which is the same as in a plan with one learner", () => {
    const [alone] = fullTasks(specOf(1));
    const three = fullTasks(specOf(3));
    assert.deepEqual(
      three.map(({ id }) => id),
      ["ex1-full", "ex1-full-2", "ex1-full-3"],
    );
    assert.equal(three[0]?.cacheKey, alone?.cacheKey);
    assert.equal(new Set(three.map(({ cacheKey }) => cacheKey)).size, 3);
    assert.deepEqual(
      fullTasks(specOf(undefined)).map(({ cacheKey }) => cacheKey),
      [alone?.cacheKey],
    );
  });

  it("use the rate that the first one finds, unless a rate is given", () => {
    const takes = (spec: ReturnType<typeof specOf>) => worksOf(spec).map(({ takesLr }) => takesLr);
    assert.deepEqual(takes(specOf(3)), [false, true, true]);
    assert.deepEqual(takes(specOf(3, 1e-4)), [false, false, false]);
    const seeds = worksOf(specOf(3)).flatMap(({ initSeeds }) => initSeeds);
    assert.equal(new Set(seeds).size, 3);
  });

  it("are the same for every seed of an experiment, unless the head follows from it", () => {
    const keysOf = (seed: number, init: Init) => {
      const spec = { ...specOf(2), seed };
      spec.model = { ...spec.model, init } as typeof spec.model;
      return fullTasks(spec).map(({ cacheKey }) => cacheKey);
    };
    assert.deepEqual(keysOf(0, Init.RANDOM), keysOf(7, Init.RANDOM));
    assert.notDeepEqual(keysOf(0, Init.FIXED), keysOf(7, Init.FIXED));
  });

  it("are only one where all would have the same head", () => {
    const spec = specOf(3);
    spec.model = { ...spec.model, init: Init.FIXED } as typeof spec.model;
    assert.equal(fullTasks(spec).length, 1);
  });

  it("wait for the rate, and get it", () => {
    let record = plannedRecord("ex1", specOf(2));
    assert.deepEqual([isReady(record, "full"), isReady(record, "full-2")], [true, false]);
    record = leaseTask(record, "ex1-full", NOW);
    record = completeTask(record, "ex1-full", found(5e-5), NOW);
    assert.ok(isReady(record, "full-2"));
    record = leaseTask(record, "ex1-full-2", NOW);
    const kind = findTask(record, "ex1-full-2")?.task.work?.kind;
    assert.ok(kind?.$case === "baseline");
    assert.equal(kind.value.lr, 5e-5);
    record = completeTask(record, "ex1-full-2", found(0, 0.8), NOW);
    const tasks = record.tasks.map(({ task }) => task);
    const row = experimentResult(record.experiment.spec, tasks).rows.find(
      ({ id }) => id === "full",
    );
    assert.equal(row?.accuracy?.n, 2);
    assert.equal(row?.chosenLr, 5e-5);
    assert.ok(Math.abs((row?.accuracy?.mean ?? 0) - 0.85) < 1e-12);
  });

  it("are cancelled when the first one fails, and queued again with it", () => {
    let record = leaseTask(plannedRecord("ex1", specOf(2)), "ex1-full", NOW);
    record = failTask(record, "ex1-full", failureOf(FailureKind.INTERNAL), NOW);
    assert.equal(findTask(record, "ex1-full-2")?.task.state, State.CANCELLED);
    assert.notEqual(findTask(record, "ex1-distill")?.task.state, State.CANCELLED, "it goes on");
    record = resumeExperiment(record, NOW);
    assert.deepEqual(statesOf(record)["2"], statesOf(record).full);
    assert.equal(findTask(record, "ex1-full-2")?.task.state, State.QUEUED);
  });
});
