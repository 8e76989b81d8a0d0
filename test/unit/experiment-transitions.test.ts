import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { FailureKind, StillhouseError } from "../../src/errors.js";
import type { ExperimentRecord } from "../../src/experiment/domain/record.js";
import {
  cancelExperiment,
  completeTask,
  failTask,
  leaseTask,
  loseTask,
  requeueRunning,
  resumeExperiment,
  retryExperiment,
  reuseResults,
  stopTask,
} from "../../src/experiment/domain/transitions.js";
import { State } from "../../src/generated/stillhouse/v1/experiment.js";
import {
  DISTILLED,
  failureOf,
  LEARNERS,
  NOW,
  plannedRecord,
  statesOf,
} from "../fixtures/experiments.js";

const LATER = new Date(NOW.getTime() + 60_000);

function done(record: ExperimentRecord, name: string): ExperimentRecord {
  const id = `${record.experiment.id}-${name}`;
  const result = name === "distill" ? DISTILLED : LEARNERS;
  return completeTask(leaseTask(record, id, NOW), id, result, LATER);
}

function running(record: ExperimentRecord, name: string): ExperimentRecord {
  return leaseTask(record, `${record.experiment.id}-${name}`, NOW);
}

describe("the time of attempts", () => {
  const at = (second: number) => new Date(NOW.getTime() + second * 1_000);
  const distilling = (record: ExperimentRecord) => record.tasks[0]?.task;

  it("adds up over attempts, without the time in which the task waited between them", () => {
    let record = leaseTask(plannedRecord(), "ex1-distill", at(0));
    assert.deepEqual(distilling(record)?.attemptStartTime, at(0));
    record = stopTask(record, "ex1-distill", at(10));
    assert.equal(distilling(record)?.ranS, 10);
    record = leaseTask(record, "ex1-distill", at(100));
    record = loseTask(record, "ex1-distill", "gone", "", at(105));
    assert.equal(distilling(record)?.ranS, 15);
    record = leaseTask(record, "ex1-distill", at(200));
    record = completeTask(record, "ex1-distill", DISTILLED, at(201));
    assert.equal(distilling(record)?.ranS, 16);
    assert.equal(distilling(record)?.attemptStartTime, undefined);
  });

  it("leaves out an attempt whose end nobody saw", () => {
    const record = requeueRunning(leaseTask(plannedRecord(), "ex1-distill", at(0)), at(9_999));
    assert.equal(distilling(record)?.ranS, 0);
    assert.equal(distilling(record)?.state, State.QUEUED);
  });
});

describe("an experiment", () => {
  it("runs when its first task does and succeeds with its last", () => {
    let record = plannedRecord();
    assert.equal(record.experiment.state, State.QUEUED);
    record = running(record, "distill");
    assert.equal(record.experiment.state, State.RUNNING);
    record = completeTask(record, "ex1-distill", DISTILLED, LATER);
    for (const name of ["evaluate", "full", "random"]) record = done(record, name);
    assert.equal(record.experiment.state, State.RUNNING);
    assert.equal(record.experiment.endTime, undefined);
    record = done(record, "untrained");
    assert.equal(record.experiment.state, State.SUCCEEDED);
    assert.deepEqual(record.experiment.endTime, LATER);
  });

  it("fails at once when its distillation does: the evaluation and the baselines are cancelled", () => {
    const failure = failureOf(FailureKind.DIVERGED);
    const record = failTask(running(plannedRecord(), "distill"), "ex1-distill", failure, LATER);
    assert.deepEqual(statesOf(record), {
      distill: "failed",
      evaluate: "cancelled",
      full: "cancelled",
      random: "cancelled",
      untrained: "cancelled",
    });
    assert.equal(record.experiment.state, State.FAILED);
    assert.deepEqual(record.experiment.failure, failure);
  });

  it("continues when a baseline fails, and fails at its end with that failure", () => {
    const failure = failureOf(FailureKind.DIVERGED);
    let record = done(plannedRecord(), "distill");
    record = failTask(running(record, "full"), "ex1-full", failure, LATER);
    assert.equal(record.experiment.state, State.RUNNING);
    for (const name of ["evaluate", "random", "untrained"]) record = done(record, name);
    assert.equal(record.experiment.state, State.FAILED);
    assert.deepEqual(record.experiment.failure, failure);
  });

  it("is cancelled when its running tasks have stopped", () => {
    let record = cancelExperiment(running(plannedRecord(), "distill"), NOW);
    assert.deepEqual(statesOf(record).evaluate, "cancelled");
    assert.equal(record.experiment.state, State.RUNNING);
    record = stopTask(record, "ex1-distill", LATER);
    assert.equal(statesOf(record).distill, "cancelled");
    assert.equal(record.experiment.state, State.CANCELLED);
  });

  it("resumes unfinished tasks and keeps results", () => {
    let record = running(done(plannedRecord(), "distill"), "evaluate");
    record = stopTask(cancelExperiment(record, NOW), "ex1-evaluate", LATER);
    record = resumeExperiment(record, LATER);
    assert.deepEqual(statesOf(record), {
      distill: "succeeded",
      evaluate: "queued",
      full: "queued",
      random: "queued",
      untrained: "queued",
    });
    assert.equal(record.experiment.state, State.RUNNING);
    assert.equal(record.experiment.endTime, undefined);
    assert.equal(running(record, "evaluate").tasks[1]?.task.attempt, 2);
  });

  it("names the attempt from which a retried task begins anew, until the next retry", () => {
    let record = running(done(plannedRecord(), "distill"), "evaluate");
    record = stopTask(cancelExperiment(record, NOW), "ex1-evaluate", LATER);
    record = running(retryExperiment(record, LATER), "evaluate");
    record = stopTask(cancelExperiment(record, NOW), "ex1-evaluate", LATER);
    record = running(resumeExperiment(record, LATER), "evaluate");
    const [distill, evaluate] = record.tasks.map(({ task }) => task);
    assert.deepEqual([evaluate?.attempt, evaluate?.begunAnewAt], [3, 2]);
    assert.equal(distill?.begunAnewAt, 0, "its result stays");
  });

  it("is queued again when the control plane ended, unless it was being cancelled", () => {
    const record = running(plannedRecord(), "distill");
    assert.equal(statesOf(requeueRunning(record, LATER)).distill, "queued");
    const cancelled = requeueRunning(cancelExperiment(record, NOW), LATER);
    assert.equal(cancelled.experiment.state, State.CANCELLED);
  });
});

describe("a task", () => {
  it("gets the next attempt number with each lease", () => {
    const once = running(plannedRecord(), "distill");
    const twice = running(stopTask(once, "ex1-distill", LATER), "distill");
    assert.equal(once.tasks[0]?.task.attempt, 1);
    assert.equal(twice.tasks[0]?.task.attempt, 2);
  });

  it("that evaluates gets the artifact that was distilled", () => {
    const { work } = running(done(plannedRecord(), "distill"), "evaluate").tasks[1]?.task ?? {};
    assert.ok(work?.kind?.$case === "evaluate");
    assert.equal(work.kind.value.artifactId, "ex0");
  });

  it("whose worker was lost is tried three times, then fails as WORKER_LOST with the log", () => {
    let record = plannedRecord();
    for (const attempt of [1, 2, 3]) {
      record = loseTask(running(record, "distill"), "ex1-distill", "SIGKILL", "last words", LATER);
      assert.equal(record.tasks[0]?.task.attempt, attempt);
      assert.equal(statesOf(record).distill, attempt < 3 ? "queued" : "failed");
    }
    const { failure } = record.experiment;
    assert.equal(failure?.kind, FailureKind.WORKER_LOST);
    assert.match(failure?.message ?? "", /after 3 attempts.*SIGKILL/);
    assert.equal(failure?.traceback, "last words");
  });

  it("is tried again if its failure is retryable, whatever its kind or text", () => {
    const again = failureOf(FailureKind.EXHAUSTED, true);
    const record = failTask(running(plannedRecord(), "distill"), "ex1-distill", again, LATER);
    assert.equal(statesOf(record).distill, "queued");
    const never = failureOf(FailureKind.WORKER_LOST, false);
    const failed = failTask(running(plannedRecord(), "distill"), "ex1-distill", never, LATER);
    assert.equal(statesOf(failed).distill, "failed");
  });

  it("has three new attempts after a resume", () => {
    let record = plannedRecord();
    for (const _ of [1, 2, 3]) {
      record = loseTask(running(record, "distill"), "ex1-distill", "gone", "", LATER);
    }
    record = resumeExperiment(record, LATER);
    record = loseTask(running(record, "distill"), "ex1-distill", "gone", "", LATER);
    assert.equal(statesOf(record).distill, "queued");
  });

  it("that is done has no further transition", () => {
    const record = done(plannedRecord(), "distill");
    const refused = (error: unknown) =>
      error instanceof StillhouseError && /STATE_SUCCEEDED to STATE_RUNNING/.test(error.message);
    assert.throws(() => running(record, "distill"), refused);
  });

  it("that reuses a result says so", () => {
    const record = reuseResults(plannedRecord(), new Map([["ex1-full", LEARNERS]]), NOW);
    const task = record.tasks[2]?.task;
    assert.equal(task?.reused, true);
    assert.equal(task?.attempt, 0);
    assert.deepEqual(task?.result, LEARNERS);
  });
});
