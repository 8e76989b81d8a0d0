import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Event, State } from "../../src/generated/stillhouse/v1/experiment.js";
import { ExperimentSpec } from "../../src/generated/stillhouse/v1/spec.js";
import { homePaths } from "../../src/store/home.js";
import { tinySpec } from "../chaos/tiny-spec.js";
import { PythonWorker } from "../fixtures/python-worker.js";
import { temporaryFolder } from "../fixtures/temporary-folder.js";
import { PYTHON } from "../fixtures/tiny.js";
import { it, until } from "../fixtures/waiting.js";
import { TestPlane } from "./test-plane.js";

const OUTER_STEPS = 120;
const TENSORS = "distilled.safetensors";

function sha256Of(path: string): string {
  return createHash("sha256").update(readFileSync(path)).digest("hex");
}

function linesOf(events: readonly Event[]): string {
  return events
    .map(({ kind }) => (kind?.$case === "log" ? kind.value.message : ""))
    .filter((line) => line !== "")
    .join("\n");
}

it("a task whose machine is lost goes on elsewhere from its checkpoint, to the same bytes", async (test) => {
  const plane = await TestPlane.start(test, { pythonPath: PYTHON, timings: { leaseMs: 30_000 } });
  const spec = await tinySpec(plane.client, OUTER_STEPS);
  const one = new PythonWorker(test, "one", plane.plane.workerAddress);
  const { id } = await plane.client.create(spec, "");
  const taskId = `${id}-distill`;
  const { work, artifacts } = homePaths(plane.home);
  const kept = join(work, taskId, "checkpoints");
  const step = await until(() => {
    const [name] = existsSync(kept) ? readdirSync(kept) : [];
    return Number(name?.split("-")[1] ?? 0);
  });
  await one.kill();
  new PythonWorker(test, "two", plane.plane.workerAddress);
  const experiment = await plane.ended(id);
  assert.equal(experiment.state, State.SUCCEEDED, experiment.failure?.message);
  assert.equal(experiment.tasks[0]?.attempt, 2);

  const events: Event[] = [];
  for await (const event of plane.client.watch(id, 0n)) events.push(event);
  const lines = linesOf(events);
  const resumed = Number(/resumed at outer step (\d+)/.exec(lines)?.[1] ?? 0);
  assert.ok(resumed >= step && step > 0, lines);
  assert.match(lines, /was lost: .* The task continues from its last checkpoint: training \d+/);
  assert.match(lines, /the checkpoint of step \d+ \(training\) came from the control plane/);
  const [series] = await plane.client.series(id, { names: ["outer_loss"], maxPoints: 1_000 });
  assert.equal(series?.numPoints, BigInt(OUTER_STEPS), "no point of the lost machine is missing");

  const folder = temporaryFolder(test);
  writeFileSync(join(folder, "spec.json"), JSON.stringify(ExperimentSpec.toJSON(spec)));
  const args = ["-m", "stillhouse_worker", "run", join(folder, "spec.json"), "--work-dir", folder];
  execFileSync(PYTHON, args, { stdio: "pipe", env: { ...process.env, OMP_NUM_THREADS: "1" } });
  const uninterrupted = join(folder, "artifact", TENSORS);
  assert.equal(sha256Of(join(artifacts, id, TENSORS)), sha256Of(uninterrupted));
});
