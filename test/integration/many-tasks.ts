import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { State } from "../../src/generated/stillhouse/v1/experiment.js";
import { resolvedSpec } from "../fixtures/experiments.js";
import { afterwards } from "../fixtures/temporary-folder.js";
import { TestPlane } from "./test-plane.js";
import type { TestWorker } from "./test-worker.js";

/** An experiment of `resolvedSpec` has a distillation, an evaluation and three baselines. */
export const TASKS_PER_EXPERIMENT = 5;
const NUM_WORKERS = 4;
/** Experiments that are queued ahead of the workers. */
const MOST_UNFINISHED = 20;
const CALL_INTERVAL_MS = 20;

/** A process that writes into the folders of all tasks, as workers and stale attempts do. */
const WRITER = `
  import { mkdirSync, readdirSync, renameSync, writeFileSync } from "node:fs";
  const work = process.argv[1];
  console.log("begun");
  const pause = new Int32Array(new SharedArrayBuffer(4));
  for (;;) {
    Atomics.wait(pause, 0, 0, 2);
    for (const task of readdirSync(work)) {
      try {
        const folder = work + "/" + task + "/attempts/1";
        mkdirSync(folder, { recursive: true });
        writeFileSync(folder + "/seconds.draft", "1");
        renameSync(folder + "/seconds.draft", folder + "/seconds");
      } catch {}
    }
  }
`;

/**
 * Runs experiments of tiny tasks while another process writes into their folders and clients call
 * all the time.
 *
 * @throws AssertionError for a call that was refused, or an experiment that did not succeed
 */
export async function runManyTasks(test: TestContext, numExperiments: number): Promise<void> {
  const plane = await TestPlane.start(test, { http: { port: 0 } });
  const writer = spawn(process.execPath, [
    ...["--input-type=module", "--eval", WRITER, join(plane.home, "work")],
  ]);
  afterwards(test, () => writer.kill("SIGKILL"));
  await once(writer.stdout, "data");
  const asking = askAllTheTime(test, plane);
  for (let index = 0; index < NUM_WORKERS; index++) {
    void finishAll(await plane.worker(`worker-${index}`));
  }
  const ids: string[] = [];
  for (let seed = 1; seed <= numExperiments; seed++) {
    const spec = resolvedSpec();
    spec.seed = seed;
    ids.push((await plane.client.create(spec, "")).id);
    const first = ids[seed - MOST_UNFINISHED];
    if (first !== undefined) await plane.ended(first);
  }
  for (const id of ids) {
    const { state, tasks, failure } = await plane.ended(id);
    assert.equal(state, State.SUCCEEDED, failure?.message);
    assert.equal(tasks.length, TASKS_PER_EXPERIMENT);
  }
  const { numCalls, refusals } = await asking.stop();
  assert.deepEqual(refusals, []);
  assert.ok(numCalls > 0);
  assert.deepEqual(plane.warnings, []);
  writer.kill("SIGKILL");
  await once(writer, "exit");
  await plane.stop();
  // Folders of finished tasks that the writer created again are removed by the next start at latest.
  await (await TestPlane.start(test, { home: plane.home })).stop();
  assert.deepEqual(readdirSync(join(plane.home, "work")), []);
  const trash = join(plane.home, "trash");
  assert.deepEqual(existsSync(trash) ? readdirSync(trash) : [], []);
}

async function finishAll(worker: TestWorker): Promise<never> {
  for (;;) await worker.finishNext();
}

/** Calls by gRPC and HTTP until it is stopped, and keeps the refusals. */
function askAllTheTime(test: TestContext, plane: TestPlane) {
  const refusals: string[] = [];
  let numCalls = 0;
  const ending = new AbortController();
  afterwards(test, () => ending.abort());
  const ask = async () => {
    while (!ending.signal.aborted) {
      numCalls++;
      await plane.client.workers().catch((error: Error) => refusals.push(error.message));
      const { status } = await fetch(`${plane.plane.httpAddress}/readyz`);
      if (status !== 200) refusals.push(`/readyz answered ${status}`);
      await sleep(CALL_INTERVAL_MS);
    }
  };
  const asking = ask();
  const stop = async () => {
    ending.abort();
    await asking;
    return { numCalls, refusals };
  };
  return { stop };
}
