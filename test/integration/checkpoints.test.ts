import assert from "node:assert/strict";
import { existsSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe } from "node:test";
import type { ServiceError } from "@grpc/grpc-js";
import { errorOf } from "../../src/api/grpc/failure-metadata.js";
import { FailureKind } from "../../src/errors.js";
import {
  type Checkpoint,
  type Event,
  State,
} from "../../src/generated/stillhouse/v1/experiment.js";
import { homePaths } from "../../src/store/home.js";
import { quickSpec } from "../fixtures/experiments.js";
import { temporaryFolder } from "../fixtures/temporary-folder.js";
import { it } from "../fixtures/waiting.js";
import { hasState, TestPlane } from "./test-plane.js";
import { checkpointOf } from "./test-worker.js";

function isRefused(kind: FailureKind, message: RegExp) {
  return (error: unknown) => {
    const failure = errorOf(error as ServiceError, "");
    assert.equal(failure.kind, kind, failure.message);
    assert.match(failure.message, message);
    return true;
  };
}

function filesOf({ home }: TestPlane, taskId: string): string[] {
  const folder = join(homePaths(home).work, taskId, "checkpoints");
  return existsSync(folder) ? readdirSync(folder) : [];
}

const isLost = ({ kind }: Event) => kind?.$case === "log" && /was lost/.test(kind.value.message);

async function sentenceOnLoss(plane: TestPlane, id: string): Promise<string> {
  const { kind } = await plane.seen(id, isLost);
  return kind?.$case === "log" ? kind.value.message : "";
}

describe("a checkpoint that a worker hands in", () => {
  it("is given to the next attempt, after a restart of the control plane too", async (test) => {
    const home = temporaryFolder(test);
    const plane = await TestPlane.start(test, { home });
    const first = await plane.worker("first");
    const { id } = await plane.client.create(quickSpec(), "");
    const assign = await first.nextTask();
    assert.deepEqual(assign.checkpoints, []);
    await first.uploadCheckpoint(assign, 9, "nine");
    await first.uploadCheckpoint(assign, 12, "twelve");
    assert.equal(filesOf(plane, assign.taskId).length, 1, "only the newest is kept");
    await first.send({ $case: "goodbye", value: {} });
    assert.match(
      await sentenceOnLoss(plane, id),
      /continues from its last checkpoint: training 12/,
    );
    await plane.stop();

    const again = await TestPlane.start(test, { home });
    const second = await again.worker("second");
    const next = await second.nextTask();
    const [checkpoint] = next.checkpoints;
    assert.deepEqual(next.checkpoints, [checkpointOf(12, "twelve")]);
    assert.ok(checkpoint);
    assert.equal(await second.downloadCheckpoint(next, checkpoint), "twelve");
    await assert.rejects(
      second.downloadCheckpoint(assign, checkpoint),
      isRefused(FailureKind.CONFLICT, /attempt 1 of task .* is not running/),
    );
    await second.finish(next);
    await again.seen(id, hasState("distill", State.SUCCEEDED));
    assert.deepEqual(filesOf(again, assign.taskId), [], "it goes when the task has ended");
    await assert.rejects(
      second.uploadCheckpoint(next, 13, "late"),
      isRefused(FailureKind.CONFLICT, /is not running/),
    );
    assert.deepEqual(filesOf(again, assign.taskId), []);
  });

  it("replaces nothing where it is damaged, forged, too large or none", async (test) => {
    const plane = await TestPlane.start(test);
    const worker = await plane.worker();
    await plane.client.create(quickSpec(), "");
    const assign = await worker.nextTask();
    await worker.uploadCheckpoint(assign, 5, "five");
    const kept = filesOf(plane, assign.taskId);
    const stranger = { ...assign, secret: Buffer.alloc(32) };
    const cases: [Partial<Checkpoint>, FailureKind, RegExp, lease?: typeof assign][] = [
      [{ sha256: "0".repeat(64) }, FailureKind.INVALID, /has the SHA-256/],
      [{ size: 2n }, FailureKind.INVALID, /longer than/],
      [{ size: 9n }, FailureKind.INVALID, /ended after/],
      [{ size: 17n << 30n }, FailureKind.INVALID, /at most 17179869184 bytes/],
      [{ kind: "../up" }, FailureKind.INVALID, /lower-case letters/],
      [{}, FailureKind.PERMISSION_DENIED, /without its secret/, stranger],
    ];
    for (const [announced, kind, message, lease = assign] of cases) {
      const upload = worker.uploadCheckpoint(lease, 6, "six", announced);
      await assert.rejects(upload, isRefused(kind, message));
    }
    assert.deepEqual(filesOf(plane, assign.taskId), kept);
    const uploads = readdirSync(homePaths(plane.home).work).filter((name) => name.startsWith("."));
    assert.deepEqual(uploads, []);
  });

  it("comes at a bounded rate", async (test) => {
    const plane = await TestPlane.start(test);
    const worker = await plane.worker();
    await plane.client.create(quickSpec(), "");
    const assign = await worker.nextTask();
    for (let step = 1; step <= 20; step++) await worker.uploadCheckpoint(assign, step, `${step}`);
    await assert.rejects(
      worker.uploadCheckpoint(assign, 21, "21"),
      isRefused(FailureKind.RATE_LIMITED, /20 checkpoints within 60 s/),
    );
  });
});

it("the log of a lost task says that it starts again where no checkpoint came", async (test) => {
  const plane = await TestPlane.start(test);
  const worker = await plane.worker();
  const { id } = await plane.client.create(quickSpec(), "");
  const { taskId } = await worker.nextTask();
  // A stranger's file in the folder is none.
  writeFileSync(join(homePaths(plane.home).work, taskId, "checkpoint"), "");
  await worker.send({ $case: "goodbye", value: {} });
  const sentence = await sentenceOnLoss(plane, id);
  assert.match(sentence, /has no checkpoint of the task, which starts again/);
  assert.doesNotMatch(sentence, /continues/);
});
