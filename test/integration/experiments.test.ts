import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { describe } from "node:test";
import { StillhouseClient } from "../../src/api/client.js";
import { FailureKind } from "../../src/errors.js";
import { initSeeds } from "../../src/experiment/domain/init-seeds.js";
import { type Event, LogLevel, State } from "../../src/generated/stillhouse/v1/experiment.js";
import { ExperimentSpec } from "../../src/generated/stillhouse/v1/spec.js";
import { writeField } from "../../src/settings/field-path.js";
import { failureOf, quickSpec, resolvedSpec } from "../fixtures/experiments.js";
import { fails } from "../fixtures/fails.js";
import { it } from "../fixtures/waiting.js";
import { hasState, states, TestPlane } from "./test-plane.js";

describe("an experiment", () => {
  it("goes through all its tasks in order, and its artifact lies in the home", async (test) => {
    const plane = await TestPlane.start(test);
    const worker = await plane.worker();
    const { id } = await plane.client.create(resolvedSpec(), "");
    const done: string[] = [];
    for (let count = 0; count < 5; count++) {
      const assign = await worker.finishNext();
      done.push(assign.taskId.slice(id.length + 1));
      if (assign.work?.kind?.$case === "evaluate") {
        assert.deepEqual(assign.work.kind.value.initSeeds, initSeeds(7, 3));
        assert.equal(assign.artifactPath, join(plane.home, "artifacts", id));
        assert.ok(existsSync(join(assign.artifactPath, "distilled.safetensors")));
      }
    }
    assert.deepEqual(done, ["distill", "evaluate", "full", "random", "untrained"]);
    const experiment = await plane.ended(id);
    assert.equal(experiment.state, State.SUCCEEDED);
    assert.ok(experiment.tasks.every((task) => task.attempt === 1 && task.result && task.endTime));
    const { artifactPath } = await plane.client.get(id);
    assert.deepEqual(readdirSync(artifactPath).sort(), ["distilled.safetensors", "m.json"]);
    assert.deepEqual(readdirSync(join(plane.home, "work")), []);
  });

  it("is created once per request, and refused when the request is used for another spec", async (test) => {
    const { client } = await TestPlane.start(test);
    const first = await client.create(quickSpec(), "request");
    const again = await client.create(quickSpec(), "request");
    assert.equal(again.id, first.id);
    const other = client.create(quickSpec(8), "request");
    await assert.rejects(other, fails(FailureKind.CONFLICT, /from another spec/));
    assert.equal((await client.list(0, "")).experiments.length, 1);
  });

  it("is refused with the field when its spec is not valid", async (test) => {
    const { client } = await TestPlane.start(test);
    const spec = quickSpec();
    Object.assign(spec.inner ?? {}, { lr: -0.1 });
    const wrong = fails(FailureKind.INVALID, /inner\.lr.*-0\.1/, "inner.lr");
    await assert.rejects(client.create(spec, ""), wrong);
    assert.equal((await client.list(0, "")).experiments.length, 0);
  });

  it("that does not exist is NOT_FOUND for every call", async (test) => {
    const { client } = await TestPlane.start(test);
    const missing = fails(FailureKind.NOT_FOUND, /no experiment "nope"/, "experiment_id");
    await assert.rejects(client.get("nope"), missing);
    await assert.rejects(client.cancel("nope"), missing);
    await assert.rejects(client.resume("nope"), missing);
    await assert.rejects(client.watch("nope", 0n).next(), missing);
  });

  it("shows the latest progress to later watchers, and metrics and logs to present ones", async (test) => {
    const plane = await TestPlane.start(test);
    const worker = await plane.worker();
    const { id } = await plane.client.create(quickSpec(), "");
    const assign = await worker.nextTask();
    const watch = plane.client.watch(id, 0n);
    const events: Event[] = [];
    const watching = (async () => {
      for await (const event of watch) events.push(event);
    })();
    await plane.seen(id, hasState("distill", State.RUNNING));
    const progress = { stage: "distilling", done: 3n, total: 9n, perSecond: 1, secondsLeft: 6 };
    await worker.report(assign, {
      $case: "progress",
      value: { ...progress, values: { loss: 0.5 } },
    });
    const point = { name: "loss", step: 3n, value: 0.5, time: new Date() };
    const points = [1n, 2n].map((sequence) => ({ ...point, sequence }));
    await worker.reported(assign, { $case: "metrics", value: { points } });
    const line = { level: LogLevel.INFO, message: "half way", time: new Date() };
    await worker.reported(assign, { $case: "log", value: line });
    const { tasks } = await plane.experiment(id);
    assert.equal(tasks[0]?.progress?.stage, "distilling");
    assert.equal(tasks[0]?.progress?.values.loss, 0.5);
    await worker.finish(assign);
    await worker.finishNext();
    await watching;
    const of = (kind: string) => events.filter((event) => event.kind?.$case === kind);
    assert.equal(of("progress").length, 1);
    const metrics = of("metrics")[0]?.kind;
    assert.ok(metrics?.$case === "metrics" && metrics.value.points.length === 2);
    const log = of("log")[0];
    assert.ok(log?.kind?.$case === "log" && log.kind.value.message === "half way");
    assert.equal(log.taskId, assign.taskId);
    assert.equal((await plane.experiment(id)).tasks[0]?.progress, undefined);
  });

  it("whose distillation fails ends with that failure, without running the rest", async (test) => {
    const plane = await TestPlane.start(test);
    const worker = await plane.worker();
    const { id } = await plane.client.create(resolvedSpec(), "");
    const failure = failureOf(FailureKind.DIVERGED);
    await worker.reported(await worker.nextTask(), { $case: "failure", value: failure });
    const experiment = await plane.ended(id);
    assert.equal(experiment.state, State.FAILED);
    assert.deepEqual(experiment.failure, failure);
    assert.equal(states(experiment).evaluate, "cancelled");
    const resumed = await plane.client.resume(id);
    assert.equal(states(resumed).evaluate, "queued");
    assert.equal((await worker.nextTask()).attempt, 2);
  });

  it("reuses the baselines of an earlier one, and computes them again when one thing changes", async (test) => {
    const plane = await TestPlane.start(test);
    const worker = await plane.worker();
    await plane.client.create(resolvedSpec(), "");
    for (let count = 0; count < 5; count++) await worker.finishNext();
    const second = resolvedSpec();
    writeField(second, "outer.lr", 0.123);
    const { id } = await plane.client.create(second, "");
    for (let count = 0; count < 2; count++) await worker.finishNext();
    const experiment = await plane.ended(id);
    assert.equal(experiment.state, State.SUCCEEDED);
    assert.deepEqual(
      experiment.tasks.map(({ reused }) => reused),
      [false, false, true, true, true],
    );
    assert.ok(experiment.tasks[2]?.result?.kind?.$case === "learners");
    const third = resolvedSpec();
    third.baseline = { ...third.baseline, fullLr: 0.0123 };
    const { id: thirdId } = await plane.client.create(third, "");
    assert.equal((await worker.finishNext()).taskId, `${thirdId}-full`);
    assert.equal((await plane.ended(thirdId)).state, State.SUCCEEDED);
  });

  it("reuses the data of an equal one, unless that was removed or a fresh run is asked for", async (test) => {
    const plane = await TestPlane.start(test);
    const worker = await plane.worker();
    const first = await plane.client.create(quickSpec(), "");
    for (let count = 0; count < 2; count++) await worker.finishNext();
    await plane.ended(first.id);
    const more = quickSpec();
    more.evaluation = { ...more.evaluation, inits: 5 } as typeof more.evaluation;
    const second = await plane.client.create(more, "");
    const assign = await worker.finishNext();
    assert.equal(assign.taskId, `${second.id}-evaluate`);
    assert.equal(assign.artifactPath, join(plane.home, "artifacts", first.id));
    await plane.ended(second.id);
    assert.equal((await plane.client.get(second.id)).artifactPath, assign.artifactPath);

    const fresh = await plane.client.create(quickSpec(), "", new Date());
    assert.equal((await worker.finishNext()).taskId, `${fresh.id}-distill`);
    assert.equal((await worker.finishNext()).taskId, `${fresh.id}-evaluate`);
    await plane.ended(fresh.id);

    for (const { id } of [first, fresh])
      rmSync(join(plane.home, "artifacts", id), { recursive: true });
    const last = await plane.client.create(quickSpec(), "");
    assert.equal((await worker.finishNext()).taskId, `${last.id}-distill`);
    assert.deepEqual(
      (await plane.ended(last.id)).tasks.map(({ reused }) => reused),
      [false, true],
    );
  });

  it("waits for a task that another one computes, and then has its result", async (test) => {
    const plane = await TestPlane.start(test);
    const [one, two] = [await plane.worker("one"), await plane.worker("two")];
    const spec = resolvedSpec();
    spec.baseline = { ...spec.baseline, random: false, untrained: false };
    await plane.client.create(spec, "");
    const second = await plane.client.create(spec, "");
    const distill = await one.nextTask();
    const full = await two.nextTask();
    await one.finish(distill);
    await one.finishNext(); // its evaluation
    assert.deepEqual(states(await plane.experiment(second.id)), {
      distill: "succeeded",
      evaluate: "succeeded",
      full: "queued",
    });
    await two.finish(full);
    const ended = await plane.ended(second.id);
    assert.ok(ended.tasks.every(({ reused }) => reused));
  });
});

describe("clients", () => {
  it("of a second process see the same experiments, page by page", async (test) => {
    const plane = await TestPlane.start(test);
    for (let seed = 1; seed <= 3; seed++) await plane.client.create(quickSpec(seed), "");
    const second = new StillhouseClient(plane.plane.address);
    const page = await second.list(2, "");
    const rest = await second.list(2, page.nextPageToken);
    assert.deepEqual(
      [...page.experiments, ...rest.experiments].map(({ spec }) => spec?.seed),
      [3, 2, 1],
    );
    assert.equal(rest.nextPageToken, "");
    const tooLarge = fails(FailureKind.INVALID, /page_size.*1001/, "page_size");
    await assert.rejects(second.list(1001, ""), tooLarge);
    second.close();
  });

  it("see every stored event once, however often they reconnect", async (test) => {
    const plane = await TestPlane.start(test);
    const worker = await plane.worker();
    const { id } = await plane.client.create(quickSpec(), "");
    const assign = await worker.nextTask();
    let isDone = false;
    const work = (async () => {
      for (let index = 0; index < 200; index++) {
        const line = { level: LogLevel.INFO, message: String(index), time: undefined };
        await worker.reported(assign, { $case: "log", value: line });
      }
      await worker.finish(assign);
      await worker.finishNext();
      isDone = true;
    })();
    const seen: bigint[] = [];
    while (!isDone || seen.at(-1) !== (await lastSequence(plane, id))) {
      let count = 0;
      for await (const { sequence } of plane.client.watch(id, seen.at(-1) ?? 0n)) {
        if (count++ > 0 && sequence > 0n) seen.push(sequence);
        if (count > 7) break;
      }
    }
    await work;
    assert.ok(seen.length >= 200);
    assert.deepEqual(
      seen,
      seen.map((_, index) => BigInt(index + 1)),
    );
  });

  it("get UNAVAILABLE with the address where no control plane answers", async () => {
    const client = new StillhouseClient("127.0.0.1:9");
    const none = fails(FailureKind.UNAVAILABLE, /no control plane answers at 127/);
    await assert.rejects(client.list(0, ""), none);
    await assert.rejects(client.watch("x", 0n).next(), none);
    client.close();
  });

  it("end a watch quietly by an abort signal, and get UNAVAILABLE when the plane stops", async (test) => {
    const plane = await TestPlane.start(test);
    const { id } = await plane.client.create(quickSpec(), "");
    const abort = new AbortController();
    for await (const _ of plane.client.watch(id, 0n, abort.signal)) abort.abort();
    const watch = plane.client.watch(id, 0n);
    const stopped = assert.rejects(
      async () => {
        for await (const _ of watch) {
          // The watch ends when the control plane stops.
        }
      },
      fails(FailureKind.UNAVAILABLE, /is stopping/),
    );
    await plane.seen(id, () => true);
    await plane.plane.stop();
    await stopped;
  });

  it("cannot send more than the limit of a message", async (test) => {
    const { client } = await TestPlane.start(test);
    const spec = ExperimentSpec.fromPartial({ ...quickSpec(), name: "x".repeat(9_000_000) });
    const tooLarge = fails(FailureKind.INVALID, /too large/);
    await assert.rejects(client.create(spec, ""), tooLarge);
    assert.ok(await client.create(quickSpec(), ""));
  });
});

async function lastSequence(plane: TestPlane, id: string): Promise<bigint> {
  let last = 0n;
  for await (const { sequence } of plane.client.watch(id, 0n)) {
    if (sequence > last) last = sequence;
    if ((await plane.experiment(id)).state !== State.SUCCEEDED) return -1n;
  }
  return last;
}

it("a home says where its control plane answers while it runs, and not after", async (test) => {
  const plane = await TestPlane.start(test);
  const path = join(plane.home, "server.json");
  assert.equal(JSON.parse(readFileSync(path, "utf8")).address, plane.plane.address);
  await plane.stop();
  assert.equal(existsSync(path), false);
});
