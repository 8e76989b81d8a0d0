import assert from "node:assert/strict";
import { describe } from "node:test";
import { FailureKind } from "../../src/errors.js";
import { State } from "../../src/generated/stillhouse/v1/experiment.js";
import { quickSpec } from "../fixtures/experiments.js";
import { fails } from "../fixtures/fails.js";
import { it } from "../fixtures/waiting.js";
import { TestPlane } from "./test-plane.js";

describe("a sweep", () => {
  it("is stored completely before any of it runs, in order, once per request", async (test) => {
    const plane = await TestPlane.start(test);
    const worker = await plane.worker();
    const request = {
      ...{ name: "seeds", owner: "ann", priority: 3, requestId: "request" },
      specs: [5, 3, 4].map(quickSpec),
    };
    const sweep = await plane.client.createSweep(request);
    const experiments = await Promise.all(sweep.experimentIds.map((id) => plane.experiment(id)));
    assert.deepEqual(
      experiments.map(({ spec, owner, priority, sweepId }) => [
        ...[spec?.seed, owner, priority, sweepId],
      ]),
      [5, 3, 4].map((seed) => [seed, "ann", 3, sweep.id]),
    );
    assert.equal((await plane.client.createSweep(request)).id, sweep.id);
    await worker.finishNext();
    await worker.finishNext();
    await plane.ended(sweep.experimentIds[0] as string);
    const later = await plane.client.sweep(sweep.id);
    assert.deepEqual([later.name, later.owner], ["seeds", "ann"]);
    const counts = Object.fromEntries(later.counts.map(({ state, count }) => [state, count]));
    assert.deepEqual(counts, {
      ...{ [State.SUCCEEDED]: 1, [State.RUNNING]: 1, [State.QUEUED]: 1 },
    });
    const found = await plane.client.list(0, "", { sweepId: sweep.id });
    assert.equal(found.experiments.length, 3);
    const other = plane.client.createSweep({ ...request, specs: [5, 3, 9].map(quickSpec) });
    await assert.rejects(other, fails(FailureKind.CONFLICT, /from other specs/));
  });

  it("with a limit starts only that many experiments, also after a restart, until it is changed", async (test) => {
    const plane = await TestPlane.start(test);
    const request = { requestId: "r", specs: [1, 2, 3].map(quickSpec), maxParallel: 1 };
    const { id, maxParallel, experimentIds } = await plane.client.createSweep(request);
    assert.equal(maxParallel, 1);
    await plane.stop();

    const again = await TestPlane.start(test, { home: plane.home });
    const one = await again.worker("one");
    const first = await one.finishNext();
    const evaluation = await one.nextTask();
    const two = await again.worker("two");
    const { experiments } = await again.client.list(0, "", { sweepId: id });
    const begun = experiments.filter(({ state }) => state !== State.QUEUED);
    assert.deepEqual(
      [first.experimentId, evaluation.experimentId, ...begun.map((experiment) => experiment.id)],
      Array.from({ length: 3 }, () => experimentIds[0]),
    );
    const changed = await again.client.createSweep({ ...request, maxParallel: 0 });
    assert.deepEqual([changed.id, changed.maxParallel], [id, 0]);
    const three = await again.worker("three");
    const others = [await two.nextTask(), await three.nextTask()];
    assert.deepEqual(
      others.map(({ experimentId }) => experimentId),
      experimentIds.slice(1),
    );
  });

  it("stores nothing where one of its specs is invalid", async (test) => {
    const { client } = await TestPlane.start(test);
    const wrong = quickSpec(2);
    Object.assign(wrong.inner ?? {}, { lr: -1 });
    const refused = client.createSweep({ specs: [quickSpec(1), wrong] });
    const message = fails(FailureKind.INVALID, /inner\.lr.*-1/, "inner.lr");
    await assert.rejects(refused, message);
    const empty = fails(FailureKind.INVALID, /1 to 10000 .* got 0/, "specs");
    await assert.rejects(client.createSweep({}), empty);
    assert.deepEqual((await client.list(0, "")).experiments, []);
    assert.deepEqual((await client.sweeps(0, "")).sweeps, []);
  });

  it("is listed newest first, page by page, and outlives the control plane", async (test) => {
    const plane = await TestPlane.start(test);
    for (const name of ["a", "b", "c"]) {
      await plane.client.createSweep({ name, specs: [quickSpec(1)] });
    }
    const page = await plane.client.sweeps(2, "");
    const rest = await plane.client.sweeps(2, page.nextPageToken);
    const names = [...page.sweeps, ...rest.sweeps].map(({ name }) => name);
    assert.deepEqual([names, rest.nextPageToken], [["c", "b", "a"], ""]);
    const missing = fails(FailureKind.NOT_FOUND, /no sweep "nope"/, "sweep_id");
    await assert.rejects(plane.client.sweep("nope"), missing);
    await plane.stop();
    const again = await TestPlane.start(test, { home: plane.home });
    const { sweeps } = await again.client.sweeps(0, "");
    assert.deepEqual(
      sweeps.map(({ experimentIds }) => experimentIds.length),
      [1, 1, 1],
    );
  });
});
