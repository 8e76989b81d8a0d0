import assert from "node:assert/strict";
import { existsSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe } from "node:test";
import { FailureKind } from "../../src/errors.js";
import { State } from "../../src/generated/stillhouse/v1/experiment.js";
import type { ExperimentSpec } from "../../src/generated/stillhouse/v1/spec.js";
import { failureOf, quickSpec } from "../fixtures/experiments.js";
import { fails } from "../fixtures/fails.js";
import { it } from "../fixtures/waiting.js";
import { states, TestPlane } from "./test-plane.js";
import type { TestWorker } from "./test-worker.js";

function specOf(seed = 7, numInits = 3): ExperimentSpec {
  const spec = quickSpec(seed);
  spec.evaluation = { ...spec.evaluation, inits: numInits } as typeof spec.evaluation;
  return spec;
}

async function finished(plane: TestPlane, worker: TestWorker, spec: ExperimentSpec, tasks = 2) {
  const { id } = await plane.client.create(spec, "");
  for (let count = 0; count < tasks; count++) await worker.finishNext();
  await plane.ended(id);
  return id;
}

describe("a retry", () => {
  it("queues failed tasks without their checkpoints, which a resume keeps", async (test) => {
    const plane = await TestPlane.start(test);
    const worker = await plane.worker();
    const { id } = await plane.client.create(specOf(), "");
    const fail = async () => {
      const assign = await worker.nextTask();
      writeFileSync(join(assign.workDir, `checkpoint-${assign.attempt}`), "x");
      const value = failureOf(FailureKind.DIVERGED);
      await worker.reported(assign, { $case: "failure", value });
      await plane.ended(id);
      return assign.workDir;
    };
    const workDir = await fail();
    await plane.client.resume(id);
    await fail();
    assert.deepEqual(readdirSync(workDir), ["checkpoint-1", "checkpoint-2"]);
    const retried = await plane.client.retry(id);
    assert.deepEqual(states(retried), { distill: "running", evaluate: "queued" });
    assert.deepEqual(readdirSync(workDir), []);
    const again = await worker.nextTask();
    assert.deepEqual([again.attempt, again.begunAnewAt], [3, 3]);
    await worker.finish(again);
    const evaluate = await worker.nextTask();
    assert.deepEqual([evaluate.attempt, evaluate.begunAnewAt], [1, 1]);
    await worker.finish(evaluate);
    assert.equal((await plane.ended(id)).state, State.SUCCEEDED);
    const done = fails(FailureKind.CONFLICT, /already succeeded/);
    await assert.rejects(plane.client.retry(id), done);
  });
});

describe("a list", () => {
  it("returns experiments as a get does, running ones with their progress", async (test) => {
    const plane = await TestPlane.start(test);
    const worker = await plane.worker();
    const done = await finished(plane, worker, specOf(1));
    const { id } = await plane.client.create(specOf(2), "");
    const assign = await worker.nextTask();
    const seen = plane.seen(id, ({ kind }) => kind?.$case === "progress");
    const progress = { stage: "distilling", done: 3n, total: 9n, perSecond: 1, secondsLeft: 6 };
    const value = { ...progress, values: { loss: 0.5 } };
    const reporting = setInterval(() => worker.report(assign, { $case: "progress", value }), 20);
    await seen;
    clearInterval(reporting);
    const { experiments, nextPageToken } = await plane.client.list(10, "");
    assert.deepEqual(experiments, [await plane.experiment(id), await plane.experiment(done)]);
    assert.equal(experiments[0]?.tasks[0]?.progress?.done, 3n);
    assert.equal(nextPageToken, "");
  });
});

describe("an owner", () => {
  it("may have a limited number of unfinished experiments, independent of other owners", async (test) => {
    const plane = await TestPlane.start(test, { maxUnfinished: 2 });
    const { client } = plane;
    const create = (seed: number, owner: string) =>
      client.create(specOf(seed), `${owner}${seed}`, undefined, { owner });
    const first = await create(1, "ann");
    await create(2, "ann");
    const limited = fails(
      FailureKind.RATE_LIMITED,
      /"ann" has 2 unfinished experiments and asks for 1 more; 2 is the limit/,
    );
    await assert.rejects(create(3, "ann"), limited);
    assert.equal((await create(1, "ann")).id, first.id, "the same request again does not count");
    const specs = [specOf(4), specOf(5), specOf(6)];
    const sweep = () => client.createSweep({ specs, owner: "bob" });
    await assert.rejects(sweep, /"bob" has 0 unfinished experiments and asks for 3 more/);
    await create(4, "bob");
    await client.cancel(first.id);
    await create(3, "ann");
    await assert.rejects(client.resume(first.id), limited);
    // Experiments from before a restart count too.
    await plane.stop();
    const again = await TestPlane.start(test, { home: plane.home, maxUnfinished: 2 });
    await assert.rejects(again.client.resume(first.id), limited);
  });
});

describe("a removal", () => {
  it("removes the artifact too, unless another experiment uses it", async (test) => {
    const plane = await TestPlane.start(test);
    const worker = await plane.worker();
    const first = await finished(plane, worker, specOf());
    const second = await finished(plane, worker, specOf(7, 5), 1);
    const folder = join(plane.home, "artifacts", first);
    await plane.client.delete(first);
    assert.ok(existsSync(folder), "the second one was evaluated on it");
    assert.equal((await plane.client.get(second)).artifactPath, folder);
    assert.equal((await worker.download(first, "m.json")).text, "{}");
    const missing = fails(FailureKind.NOT_FOUND, /no experiment/, "experiment_id");
    await assert.rejects(plane.client.get(first), missing);
    await assert.rejects(plane.client.delete(first), missing);
    await plane.client.delete(second);
    assert.deepEqual(readdirSync(join(plane.home, "artifacts")), []);
    assert.deepEqual((await plane.client.list(0, "")).experiments, []);
  });

  it("is refused while the experiment is unfinished, and removes checkpoints after a cancel", async (test) => {
    const plane = await TestPlane.start(test);
    const worker = await plane.worker();
    const { id } = await plane.client.create(specOf(), "request");
    const assign = await worker.nextTask();
    const points = [{ name: "loss", sequence: 1n, step: 3n, value: 0.5, time: new Date() }];
    await worker.reported(assign, { $case: "metrics", value: { points } });
    const running = fails(FailureKind.CONFLICT, /has not ended; cancel it/);
    await assert.rejects(plane.client.delete(id), running);
    const cancelled = plane.client.cancel(id);
    await worker.next("cancel");
    await worker.reported(assign, { $case: "stopped", value: { time: undefined } });
    await cancelled;
    assert.ok(existsSync(assign.workDir));
    await plane.client.delete(id);
    assert.equal(existsSync(assign.workDir), false);
    const again = await plane.client.create(specOf(), "request");
    assert.notEqual(again.id, id);
  });
});

it("a comparison lists the differing settings", async (test) => {
  const plane = await TestPlane.start(test);
  const worker = await plane.worker();
  const first = await finished(plane, worker, specOf());
  const second = await finished(plane, worker, specOf(7, 5), 1);
  const { differences, experiments } = await plane.client.compare([first, second]);
  assert.deepEqual(differences, [{ field: "evaluation.inits", values: ["3", "5"] }]);
  assert.deepEqual(
    experiments.map(({ accuracyMean, gain, sharedInits }) => [accuracyMean, gain, sharedInits]),
    [
      [0.9, undefined, 0],
      [0.9, 0, 3],
    ],
  );
  const wrong = (message: RegExp) => fails(FailureKind.INVALID, message, "experiment_ids");
  await assert.rejects(plane.client.compare([first]), wrong(/2 to 100 experiments, got 1/));
  await assert.rejects(plane.client.compare([first, first]), wrong(/each experiment once/));
});

it("owner and priority are stored, checked, and can be filtered by", async (test) => {
  const { client } = await TestPlane.start(test);
  const placement = { owner: "ann", priority: -5 };
  const { id } = await client.create(specOf(1), "", undefined, placement);
  await client.create(specOf(2), "");
  const { experiments } = await client.list(0, "", { owner: "ann" });
  assert.deepEqual(
    experiments.map(({ id: found, owner, priority }) => ({ found, owner, priority })),
    [{ found: id, ...placement }],
  );
  const invalid = (message: RegExp, field: string) => fails(FailureKind.INVALID, message, field);
  const tooHigh = client.create(specOf(3), "", undefined, { priority: 101 });
  await assert.rejects(tooHigh, invalid(/from -100 to 100, got 101/, "priority"));
  const lines = client.create(specOf(3), "", undefined, { owner: "a\nb" });
  await assert.rejects(lines, invalid(/one line/, "owner"));
});
