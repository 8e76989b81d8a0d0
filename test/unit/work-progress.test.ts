import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  type RunTimes,
  ranSeconds,
  type TaskWork,
  workProgress,
} from "../../src/results/work-progress.js";
import { resolvedSpec } from "../fixtures/experiments.js";

const SPEC = resolvedSpec();
/** Many outer steps, so that the distillation is most of the work. */
const LONG = { ...SPEC, outer: { epochs: 0, steps: 20_000, batchSize: 48, initsPerStep: 1 } };

function task(kind: TaskWork["kind"], more: Partial<TaskWork> = {}): TaskWork {
  const numLearners = kind === "distill" ? 0 : 5;
  const rest = {
    searchesLr: false,
    takesLr: false,
    isReused: false,
    ranS: 0,
    stage: "",
    done: 0,
    total: 0,
  };
  return { kind, state: "queued", numLearners, ...rest, secondsLeft: 0, ...more };
}

function running(kind: TaskWork["kind"], share: number, secondsLeft: number, stage: string) {
  return task(kind, { state: "running", stage, done: 100 * share, total: 100, secondsLeft });
}

describe("progress of the whole", () => {
  it("counts work, not tasks", () => {
    const distilling = running("distill", 0.5, 600, "distilling");
    const { share } = workProgress(LONG, [distilling, task("evaluate"), task("untrained")]);
    assert.ok(share > 0.45 && share < 0.5, `${share}`);
    const evaluated = [task("distill"), task("untrained", { state: "succeeded", ranS: 9 })];
    assert.ok(workProgress(LONG, evaluated).share < 0.02);
  });

  it("never falls while a task goes through its stages", () => {
    const stages = ["loading", "choosing samples", "choosing the learning rate", "evaluating"];
    const shares = stages.flatMap((stage) =>
      [0, 0.5, 1].map((part) => workProgress(SPEC, [running("herding", part, 1, stage)]).share),
    );
    assert.deepEqual(
      shares,
      [...shares].sort((a, b) => a - b),
    );
    assert.deepEqual([shares[0], shares.at(-1)], [0, 1]);
  });

  it("gives the time left for all of it, not only for the running task", () => {
    const ran = task("untrained", { state: "succeeded", ranS: 100 });
    const { secondsLeft } = workProgress(SPEC, [
      ran,
      running("evaluate", 0.5, 50, "evaluating"),
      task("evaluate"),
    ]);
    assert.ok(secondsLeft !== undefined && Math.abs(secondsLeft - 150) < 1, `${secondsLeft}`);
  });

  it("shares the rest between the workers that compute it now", () => {
    const two = [0, 1].map(() => running("evaluate", 0.5, 50, "evaluating"));
    const { secondsLeft } = workProgress(SPEC, [...two, task("evaluate"), task("evaluate")]);
    assert.equal(Math.round(secondsLeft ?? 0), 150);
  });

  it("leaves out tasks that were reused, have failed or were cancelled", () => {
    const none = [
      task("full", { state: "succeeded", isReused: true, ranS: 5_000 }),
      task("random", { state: "failed" }),
      task("herding", { state: "cancelled" }),
    ];
    assert.deepEqual(workProgress(SPEC, [...none, running("distill", 0.25, 30, "distilling")]), {
      share: 0.25,
      secondsLeft: 30,
    });
    assert.equal(workProgress(SPEC, none).share, 1);
  });

  it("gives no time left where nothing has run", () => {
    assert.equal(workProgress(SPEC, [task("distill")]).secondsLeft, undefined);
    assert.deepEqual(workProgress(SPEC, []), { share: 0, secondsLeft: undefined });
  });
});

describe("the time in which a task ran", () => {
  const NEVER: RunTimes = {
    isReused: false,
    wallTimeS: undefined,
    ranS: 0,
    attemptStartMs: undefined,
    startMs: undefined,
    endMs: undefined,
  };

  it("is that of its attempts, without the hours between them", () => {
    const day = 86_400_000;
    const again = { ...NEVER, ranS: 60, startMs: 0, attemptStartMs: day };
    assert.equal(ranSeconds(again, day + 5_000), 65);
    assert.equal(ranSeconds({ ...again, attemptStartMs: undefined, endMs: day }, day), 60);
    assert.equal(ranSeconds({ ...again, wallTimeS: 90 }, day), 90);
    assert.equal(ranSeconds({ ...again, wallTimeS: 90, isReused: true }, day), 0);
    assert.equal(ranSeconds({ ...NEVER, startMs: 0 }, day), 0, "it waits");
  });
});
