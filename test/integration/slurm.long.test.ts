import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { State } from "../../src/generated/stillhouse/v1/experiment.js";
import { ExperimentSpec } from "../../src/generated/stillhouse/v1/spec.js";
import { homePaths } from "../../src/store/home.js";
import { tinySpec } from "../chaos/tiny-spec.js";
import { commandLines } from "../fixtures/command.js";
import { sendSignal } from "../fixtures/signals.js";
import { missingSlurm, SlurmCluster, slurmPool } from "../fixtures/slurm.js";
import { temporaryFolder } from "../fixtures/temporary-folder.js";
import { PYTHON } from "../fixtures/tiny.js";
import { it, until } from "../fixtures/waiting.js";
import { TestPlane } from "./test-plane.js";

const OUTER_STEPS = 120;
const TENSORS = "distilled.safetensors";

function sha256Of(path: string): string {
  return createHash("sha256").update(readFileSync(path)).digest("hex");
}

function processesOf(workerId: string): number[] {
  return commandLines()
    .filter(({ line }) => line.includes(`--id ${workerId}`))
    .map(({ pid }) => pid);
}

it("a task of a node that Slurm has lost goes on elsewhere, to the same bytes, while its old process lives", {
  skip: missingSlurm() ?? false,
}, async (test) => {
  const cluster = await SlurmCluster.start(test, ["n1", "n2"]);
  const engines = [slurmPool(1)];
  const plane = await TestPlane.start(test, { env: cluster.env, pythonPath: PYTHON, engines });
  const spec = await tinySpec(plane.client, OUTER_STEPS);
  const { id } = await plane.client.create(spec, "");
  const isDistilling = ({ taskId }: { taskId: string }) => taskId.endsWith("distill");
  const old = await until(async () => (await plane.client.workers()).find(isDistilling));
  await plane.seen(id, ({ kind }) => kind?.$case === "progress" && kind.value.done > 5n);
  // However fast the machine is, its task is not done before Slurm misses the node.
  const [oldPid] = processesOf(old.id);
  assert.ok(oldPid);
  sendSignal(oldPid, "SIGSTOP");
  const node = await cluster.ask("squeue", "--noheader", "--format=%N");
  await cluster.killNode(node);
  const next = await until(async () => {
    const found = await plane.client.workers();
    return found.find((worker) => worker.id !== old.id);
  });
  // The engine's word is enough: nobody waits for the lease, which is ten minutes here.
  assert.deepEqual(processesOf(old.id), [oldPid], "the old process lives on");
  await until(async () => (await plane.client.workers()).some(isDistilling));
  sendSignal(oldPid, "SIGCONT");
  await until(() => processesOf(old.id).length === 0);
  const experiment = await plane.ended(id);
  assert.equal(experiment.state, State.SUCCEEDED, experiment.failure?.message);
  const distill = experiment.tasks.find((task) => task.id.endsWith("distill"));
  assert.deepEqual([distill?.attempt, distill?.workerId], [2, next.id]);

  const folder = temporaryFolder(test);
  writeFileSync(join(folder, "spec.json"), JSON.stringify(ExperimentSpec.toJSON(spec)));
  const args = ["-m", "stillhouse_worker", "run", join(folder, "spec.json"), "--work-dir", folder];
  execFileSync(PYTHON, args, { stdio: "pipe" });
  const local = sha256Of(join(folder, "artifact", TENSORS));
  assert.equal(sha256Of(join(homePaths(plane.home).artifacts, id, TENSORS)), local);
  await until(async () => (await cluster.jobs()).length === 0);
  assert.deepEqual(processesOf(next.id), []);
});
