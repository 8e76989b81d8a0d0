import assert from "node:assert/strict";
import { State } from "../../src/generated/stillhouse/v1/experiment.js";
import { tinySpec } from "../chaos/tiny-spec.js";
import { commandLines } from "../fixtures/command.js";
import { sendSignal } from "../fixtures/signals.js";
import { missingSlurm, SlurmCluster, slurmPool } from "../fixtures/slurm.js";
import { PYTHON } from "../fixtures/tiny.js";
import { it, until } from "../fixtures/waiting.js";
import { hashOfDistilled, hashWithoutControlPlane } from "./distilled-bytes.js";
import { TestPlane } from "./test-plane.js";

const OUTER_STEPS = 120;

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

  assert.equal(hashOfDistilled(plane.home, id), hashWithoutControlPlane(test, spec));
  await until(async () => (await cluster.jobs()).length === 0);
  assert.deepEqual(processesOf(next.id), []);
});

it("six experiments on two nodes have the bytes that a process of its own distils, and leave nothing", {
  skip: missingSlurm() ?? false,
}, async (test) => {
  const cluster = await SlurmCluster.start(test, ["n1", "n2"]);
  const engines = [slurmPool(2)];
  const plane = await TestPlane.start(test, { env: cluster.env, pythonPath: PYTHON, engines });
  const tiny = await tinySpec(plane.client, 12);
  const specs = [1, 2, 3, 4, 5, 6].map((seed) => ({ ...tiny, seed }));
  const created = await Promise.all(specs.map((spec) => plane.client.create(spec, "")));
  const nodes = new Set<string>();
  const workers = new Set<string>();
  let isOver = false;
  const ended = Promise.all(created.map(({ id }) => plane.ended(id))).finally(() => {
    isOver = true;
  });
  await until(async () => {
    const jobs = (await cluster.ask("squeue", "-h", "-t", "R", "-o", "%j %N")).split("\n");
    assert.ok(jobs.length <= 2, "never more workers than the pool may have");
    for (const [worker, node] of jobs.map((job) => job.split(" "))) {
      if (worker) workers.add(worker);
      if (node) nodes.add(node);
    }
    return isOver;
  });
  for (const experiment of await ended) {
    assert.equal(experiment.state, State.SUCCEEDED, experiment.failure?.message);
    assert.ok(experiment.tasks.every(({ attempt }) => attempt === 1));
  }
  assert.deepEqual([...nodes].sort(), ["n1", "n2"]);
  for (const [index, spec] of specs.entries()) {
    const id = created[index]?.id ?? "";
    assert.equal(hashOfDistilled(plane.home, id), hashWithoutControlPlane(test, spec), id);
  }
  await until(async () => (await cluster.jobs()).length === 0);
  await until(() => [...workers].every((worker) => processesOf(worker).length === 0));
  await until(async () => (await plane.client.workers()).length === 0);
});
