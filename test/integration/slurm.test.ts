import assert from "node:assert/strict";
import { once } from "node:events";
import { chmodSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, type TestContext } from "node:test";
import type { ControlPlaneOptions } from "../../src/control-plane.js";
import { type Event, State } from "../../src/generated/stillhouse/v1/experiment.js";
import { WorkerState } from "../../src/generated/stillhouse/v1/service.js";
import { commandLines, hasVariable, processesWith } from "../fixtures/command.js";
import { quickSpec } from "../fixtures/experiments.js";
import { freePort } from "../fixtures/free-port.js";
import { missingSlurm, SlurmCluster, slurmPool, WHOLE_NODE } from "../fixtures/slurm.js";
import { temporaryFolder } from "../fixtures/temporary-folder.js";
import { PROJECT, PYTHON } from "../fixtures/tiny.js";
import { it, until } from "../fixtures/waiting.js";
import { planeProcess } from "./plane-process.js";
import { QUICK, TestPlane, workerCommand } from "./test-plane.js";

const SLURM = { skip: missingSlurm() ?? false };

/** Python for the launcher; what it starts as a worker is something else. */
function pythonWith(test: TestContext, worker: string): string {
  const path = join(temporaryFolder(test), "python");
  const launcher = `*stillhouse_launcher*) exec "${PYTHON}" "$@";;`;
  writeFileSync(path, `#!/bin/sh\ncase "$*" in\n${launcher}\nesac\n${worker}\n`);
  chmodSync(path, 0o755);
  return path;
}

/** Workers that never say hello. */
function sleepers(test: TestContext): string {
  return pythonWith(test, "exec sleep 600");
}

/** @param gate a file without which no task ends */
function countingWorkers(test: TestContext, steps: number, gate?: string): string {
  const gated = gate === undefined ? "" : `export TEST_WORKER_GATE="${gate}"\n`;
  return pythonWith(test, `${gated}exec "${workerCommand(test, steps)}" "$@"`);
}

interface PlaneRest extends Partial<Pick<ControlPlaneOptions, "home" | "http">> {
  readonly maxWorkers?: number;
  readonly options?: Record<string, string>;
}

function planeOn(
  test: TestContext,
  { env }: SlurmCluster,
  pythonPath: string,
  rest: PlaneRest = {},
): Promise<TestPlane> {
  const { maxWorkers = 2, options = WHOLE_NODE, ...others } = rest;
  const engines = [slurmPool(maxWorkers, options)];
  return TestPlane.start(test, { env, pythonPath, engines, ...others });
}

async function workersOf({ client }: TestPlane, state: WorkerState) {
  return (await client.workers()).filter((worker) => worker.state === state);
}

describe("workers that Slurm starts", () => {
  it("come for work, on all nodes, are never too many, and go again", SLURM, async (test) => {
    const cluster = await SlurmCluster.start(test, ["n1", "n2"]);
    const plane = await planeOn(test, cluster, countingWorkers(test, 5));
    assert.deepEqual(await cluster.jobs(), []);
    const ids = await Promise.all(
      [1, 2, 3].map(async (seed) => (await plane.client.create(quickSpec(seed), "")).id),
    );
    const nodes = new Set<string>();
    let most = 0;
    const ended = Promise.all(ids.map((id) => plane.ended(id)));
    let areRunning = true;
    void ended.then(() => {
      areRunning = false;
    });
    await until(async () => {
      const jobs = (await cluster.ask("squeue", "-h", "-o", "%N")).split("\n");
      most = Math.max(most, jobs.length);
      for (const node of jobs.filter(Boolean)) nodes.add(node);
      return !areRunning;
    });
    for (const { state } of await ended) assert.equal(state, State.SUCCEEDED);
    assert.deepEqual([[...nodes].sort(), most], [["n1", "n2"], 2]);
    await until(async () => (await plane.client.workers()).length === 0);
    assert.deepEqual(await cluster.jobs(), [], "none is left when they had nothing to do");
    assert.deepEqual(processesWith(plane.plane.workerAddress), []);
  });

  it("may wait in the queue and be cancelled there, and nothing fails", SLURM, async (test) => {
    const cluster = await SlurmCluster.start(test, ["n1"]);
    const blocker = ["--exclusive", "--output=/dev/null", "--job-name=other", "--wrap=sleep 600"];
    await cluster.ask("sbatch", ...blocker);
    await until(async () => (await cluster.ask("squeue", "-h", "-o", "%T")) === "RUNNING");
    // A worker that waits is not late for its start, however short its time for that is.
    const plane = await planeOn(test, cluster, sleepers(test));
    const { id } = await plane.client.create(quickSpec(), "");
    const waiting = await until(async () => {
      const found = await workersOf(plane, WorkerState.PENDING);
      return found.find(({ reason }) => reason === "Resources");
    });
    assert.equal(waiting.pool, "slurm");
    const launched = (await cluster.jobs()).filter((name) => name !== "other");
    assert.deepEqual(launched, [waiting.id], "the launch has its worker's name");
    await cluster.ask("scancel", `--name=${waiting.id}`);
    await until(async () => (await plane.client.workers()).every((each) => each.id !== waiting.id));
    const { tasks, state } = await plane.experiment(id);
    assert.equal(state, State.QUEUED);
    assert.ok(tasks.every((task) => task.attempt === 0 && task.state === State.QUEUED));
    const [pool] = (await plane.client.pools()).filter(({ name }) => name === "slurm");
    assert.match(pool?.fault ?? "", /CANCELLED/);
    assert.ok(pool?.retryTime);
    await plane.stop();
    assert.deepEqual(await cluster.jobs(), ["other"], "the end of the plane ends all of its jobs");
  });

  it("that are refused fail no task, and the pool says why", SLURM, async (test) => {
    const cluster = await SlurmCluster.start(test, ["n1"]);
    const options = { ...WHOLE_NODE, partition: "nowhere" };
    const plane = await planeOn(test, cluster, sleepers(test), { options, http: { port: 0 } });
    const { id } = await plane.client.create(quickSpec(), "");
    const fault = await plane.poolFault("slurm");
    assert.match(fault, /sbatch: .*[Ii]nvalid partition/);
    assert.deepEqual(await plane.client.workers(), []);
    const metrics = await (await fetch(`${plane.plane.httpAddress}/metrics`)).text();
    assert.match(metrics, /stillhouse_pool_refused_launches_total\{pool="slurm"\} [1-9]/);
    assert.equal((await plane.experiment(id)).state, State.QUEUED);
    assert.match(plane.warnings.join("\n"), /tried again in \d+ s/);
  });

  it(
    "live on while the launcher or the controller is away, and none is started twice",
    SLURM,
    async (test) => {
      const cluster = await SlurmCluster.start(test, ["n1"]);
      const gate = join(temporaryFolder(test), "gate");
      const pythonPath = countingWorkers(test, 2, gate);
      const plane = await planeOn(test, cluster, pythonPath, { maxWorkers: 1 });
      const { id } = await plane.client.create(quickSpec(), "");
      const busy = await until(async () => (await workersOf(plane, WorkerState.BUSY))[0]);
      await cluster.stopController();
      const launcher = () =>
        processesWith("stillhouse_launcher").filter((pid) => isOf(pid, cluster));
      const [first] = launcher();
      assert.ok(first);
      process.kill(first, "SIGKILL");
      await until(() => launcher().some((pid) => pid !== first));
      await until(() => plane.warnings.some((line) => line.includes("cannot be listed")));
      cluster.startController();
      writeFileSync(gate, "");
      const experiment = await plane.ended(id);
      assert.equal(experiment.state, State.SUCCEEDED);
      const distill = experiment.tasks.find((task) => task.id.endsWith("distill"));
      assert.deepEqual([distill?.attempt, distill?.workerId], [1, busy.id]);
      const logs = readdirSync(join(plane.home, "logs")).filter((name) =>
        /^slurm-.*log$/.test(name),
      );
      assert.deepEqual(logs, [`${busy.id}.log`], "it is the only one that was ever started");
    },
  );

  it("keep their task on a node that is drained, and come to it no more", SLURM, async (test) => {
    const cluster = await SlurmCluster.start(test, ["n1", "n2"]);
    const gate = join(temporaryFolder(test), "gate");
    const plane = await planeOn(test, cluster, countingWorkers(test, 2, gate));
    const nodeOf = async (worker: string) =>
      (await cluster.ask("squeue", "-h", "-o", "%N", `--name=${worker}`)) || undefined;
    const isBusy = async (count: number) => {
      const busy = await workersOf(plane, WorkerState.BUSY);
      return busy.length === count ? busy : undefined;
    };
    const first = await plane.client.create(quickSpec(1), "");
    const [old] = await until(() => isBusy(1));
    assert.ok(old);
    const drained = await until(() => nodeOf(old.id));
    await cluster.ask("scontrol", "update", `nodename=${drained}`, "state=drain", "reason=test");
    const second = await plane.client.create(quickSpec(2), "");
    const next = (await until(() => isBusy(2))).find(({ id }) => id !== old.id);
    assert.ok(next);
    assert.notEqual(await nodeOf(next.id), drained);
    writeFileSync(gate, "");
    for (const [{ id }, worker] of [
      [first, old],
      [second, next],
    ] as const) {
      const { state, tasks } = await plane.ended(id);
      assert.equal(state, State.SUCCEEDED);
      const distill = tasks.find((task) => task.id.endsWith("distill"));
      assert.deepEqual([distill?.attempt, distill?.workerId], [1, worker.id]);
    }
    await until(async () => (await cluster.jobs()).length === 0);
    const states = await cluster.ask("sinfo", "-h", "-N", "-o", "%N %T");
    assert.match(states, new RegExp(`^${drained} drained$`, "m"));
  });

  it(
    "keep their task and attempt when the control plane is killed and comes back",
    SLURM,
    async (test) => {
      const cluster = await SlurmCluster.start(test, ["n1"]);
      const gate = join(temporaryFolder(test), "gate");
      const options = {
        ...{ home: temporaryFolder(test), pythonPath: countingWorkers(test, 2, gate) },
        ...{ workerPort: await freePort(), grpcPort: await freePort(), timings: QUICK },
        engines: [slurmPool(1)],
      };
      const first = await planeProcess(test, cluster.env, options);
      const { id } = await first.client.create(quickSpec(), "");
      for await (const { kind } of first.client.watch(id, 0n))
        if (kind?.$case === "progress") break;
      first.child.kill("SIGKILL");
      await once(first.child, "exit");
      const before = await cluster.jobs();
      // What a killed control plane asked for and could not note has the same beginning.
      const stray = `${before[0]?.slice(0, -8)}00000000`;
      await cluster.ask("sbatch", `--job-name=${stray}`, "--output=/dev/null", "--wrap=sleep 600");
      const second = await planeProcess(test, cluster.env, options);
      await until(async () => !(await cluster.jobs()).includes(stray));
      writeFileSync(gate, "");
      for await (const _ of second.client.watch(id, 0n));
      const { experiment } = await second.client.get(id);
      assert.equal(experiment.state, State.SUCCEEDED);
      const distill = experiment.tasks.find((task) => task.id.endsWith("distill"));
      assert.deepEqual([distill?.attempt, distill?.workerId], [1, before[0]]);
      await until(async () => (await cluster.jobs()).length === 0);
    },
  );

  it(
    "have keys of their own, which contain none of the server's and are shown nowhere",
    SLURM,
    async (test) => {
      const cluster = await SlurmCluster.start(test, ["n1"]);
      const home = temporaryFolder(test);
      writeFileSync(join(home, "closed"), "");
      const plane = await planeOn(test, cluster, countingWorkers(test, 2), { home });
      const { id } = await plane.client.create(quickSpec(), "");
      const job = await until(
        async () => (await cluster.ask("squeue", "-h", "-o", "%A")) || undefined,
      );
      const shown = await cluster.ask("scontrol", "show", "job", "-dd", job);
      const script = await cluster.ask("scontrol", "write", "batch_script", job, "-");
      assert.equal((await plane.ended(id)).state, State.SUCCEEDED);
      const keys = join(home, "pools", "slurm", "keys");
      const names = readdirSync(keys).sort();
      assert.deepEqual(names, ["control-plane.key", "curve.key_secret", "token"]);
      for (const name of names) assert.equal(statSync(join(keys, name)).mode & 0o077, 0, name);
      const token = readFileSync(join(keys, "token"), "utf8").trim();
      for (const text of [shown, script, ...commandLines().map(({ line }) => line)]) {
        assert.ok(!text.includes(token));
      }
      const tokens = JSON.parse(readFileSync(join(home, "tokens.json"), "utf8"));
      assert.match(JSON.stringify(tokens), /"pool-slurm","role":"worker"/);
    },
  );

  it("have a control plane in a job, as the example does it", SLURM, async (test) => {
    const cluster = await SlurmCluster.start(test, ["n1"]);
    const script = readFileSync(join(PROJECT, "examples", "stillhouse.sbatch"), "utf8");
    const flags = [...script.matchAll(/^#SBATCH (--\S+)$/gm)].map(([, flag = ""]) => flag);
    assert.equal(flags.length, script.split("#SBATCH").length - 1);
    // Slurm says on stderr when it would start.
    await cluster.ask("sbatch", "--test-only", join(PROJECT, "examples", "stillhouse.sbatch"));
    await assert.rejects(cluster.ask("sbatch", "--test-only", "--mem=1T", "--wrap=true"));
  });

  it("are not asked for where none could hold the task, which says so once", async (test) => {
    const small = { ...slurmPool(2), maxMemoryBytes: 100 * 2 ** 20 };
    const plane = await TestPlane.start(test, { engines: [small] });
    const spec = quickSpec();
    spec.compute = { ...spec.compute, memoryMib: 200 } as typeof spec.compute;
    const { id } = await plane.client.create(spec, "");
    const isTold = ({ kind }: Event) =>
      kind?.$case === "log" && /waits for/.test(kind.value.message);
    const { kind } = await plane.seen(id, isTold);
    const message = kind?.$case === "log" ? kind.value.message : "";
    assert.match(message, /a worker with 200 MiB of memory.*a pool starts has 100 MiB/);
    assert.deepEqual(await plane.client.workers(), []);
  });
});

/** Whether a process belongs to this cluster, as other tests have one as well. */
function isOf(pid: number, { env }: SlurmCluster): boolean {
  return hasVariable(pid, "SLURM_CONF", env.SLURM_CONF);
}
