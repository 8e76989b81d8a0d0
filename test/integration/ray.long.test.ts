import assert from "node:assert/strict";
import { once } from "node:events";
import { chmodSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, type TestContext } from "node:test";
import { State } from "../../src/generated/stillhouse/v1/experiment.js";
import { WorkerState } from "../../src/generated/stillhouse/v1/service.js";
import { tinySpec } from "../chaos/tiny-spec.js";
import { commandLines, hasVariable, processesWith } from "../fixtures/command.js";
import { quickSpec } from "../fixtures/experiments.js";
import { freePort } from "../fixtures/free-port.js";
import { missingRay, RayCluster, rayPool } from "../fixtures/ray.js";
import { sendSignal } from "../fixtures/signals.js";
import { temporaryFolder } from "../fixtures/temporary-folder.js";
import { PYTHON } from "../fixtures/tiny.js";
import { it, until } from "../fixtures/waiting.js";
import { hashOfDistilled, hashWithoutControlPlane } from "./distilled-bytes.js";
import { planeProcess } from "./plane-process.js";
import { QUICK, TestPlane, workerCommand } from "./test-plane.js";
import { tried } from "./tried-seat.js";

const RAY = { skip: missingRay() ?? false };
const OUTER_STEPS = 120;

function planeOn(
  test: TestContext,
  cluster: RayCluster,
  { maxWorkers = 1, options = {}, ...rest }: PlaneRest = {},
): Promise<TestPlane> {
  const engines = [rayPool(cluster, maxWorkers, options)];
  return TestPlane.start(test, { env: cluster.env, pythonPath: PYTHON, engines, ...rest });
}

interface PlaneRest {
  readonly home?: string;
  readonly maxWorkers?: number;
  readonly options?: Record<string, string>;
}

/** Stand-ins for workers, of which no task ends before a file is there. */
function gatedWorkers(test: TestContext, gate: string): string {
  const path = join(temporaryFolder(test), "python");
  const worker = workerCommand(test, 2);
  writeFileSync(path, `#!/bin/sh\nTEST_WORKER_GATE="${gate}" exec "${worker}" "$@"\n`);
  chmodSync(path, 0o755);
  return path;
}

/** None by the list of processes, and none by Ray's. */
async function nothingIsLeft(cluster: RayCluster, workerAddress: string): Promise<void> {
  await until(async () => (await cluster.actors()).length === 0);
  await until(() => processesWith(workerAddress).length === 0);
}

describe("workers that Ray starts", () => {
  it(
    "come for work, on all nodes, with keys of their own, and go; the result is the local one",
    RAY,
    async (test) => {
      const cluster = await RayCluster.start(test, ["n1", "n2"]);
      const home = temporaryFolder(test);
      writeFileSync(join(home, "closed"), "");
      const plane = await planeOn(test, cluster, { home, maxWorkers: 2 });
      const specs = [await tinySpec(plane.client, 20), await tinySpec(plane.client, 21)];
      assert.deepEqual(await cluster.actors(), []);
      const ids = [];
      for (const spec of specs) ids.push((await plane.client.create(spec, "")).id);
      let areRunning = true;
      const ended = Promise.all(ids.map((id) => plane.ended(id))).finally(() => {
        areRunning = false;
      });
      const nodes = new Set<string>();
      const lines = new Set<string>();
      let most = 0;
      await until(async () => {
        most = Math.max(most, (await cluster.actors()).length);
        for (const node of await cluster.busyNodes()) nodes.add(node);
        for (const { line } of commandLines()) lines.add(line);
        return !areRunning;
      });
      for (const { state, failure } of await ended) {
        assert.equal(state, State.SUCCEEDED, failure?.message);
      }
      assert.deepEqual([[...nodes].sort(), most], [["n1", "n2"], 2]);
      const keys = join(home, "pools", "ray", "keys");
      const names = readdirSync(keys).sort();
      assert.deepEqual(names, ["control-plane.key", "curve.key_secret", "token"]);
      const token = readFileSync(join(keys, "token"), "utf8").trim();
      const shown = [...lines].join("\n");
      assert.ok(shown.includes(plane.plane.workerAddress) && !shown.includes(token));
      for (const [at, id] of ids.entries()) {
        const spec = specs[at];
        assert.ok(spec);
        assert.equal(hashOfDistilled(home, id), hashWithoutControlPlane(test, spec));
      }
      await until(async () => (await plane.client.workers()).length === 0);
      await nothingIsLeft(cluster, plane.plane.workerAddress);
    },
  );

  it(
    "live on without the launcher; where a raylet is lost, their task goes on elsewhere to the same bytes",
    RAY,
    async (test) => {
      const cluster = await RayCluster.start(test, ["n1"]);
      const other = { name: "other", namespace: "other" };
      await cluster.occupy(other.name);
      await cluster.startNode("n2");
      const plane = await planeOn(test, cluster);
      const spec = await tinySpec(plane.client, OUTER_STEPS);
      const { id } = await plane.client.create(spec, "");
      const isDistilling = ({ taskId }: { taskId: string }) => taskId.endsWith("distill");
      const old = await until(async () => (await plane.client.workers()).find(isDistilling));
      await plane.seen(id, ({ kind }) => kind?.$case === "progress" && kind.value.done > 5n);
      // However fast the machine is, its task is not done before the launcher is back.
      for (const pid of processesWith(`--id ${old.id}`)) sendSignal(pid, "SIGSTOP");

      const launchers = () => processesWith("stillhouse_launcher").filter(isOf(cluster));
      const [launcher] = launchers();
      sendSignal(launcher, "SIGKILL");
      await until(() => launchers().some((pid) => pid !== launcher));
      assert.deepEqual(await cluster.busyNodes(), ["n2"]);
      assert.equal((await plane.client.workers()).find(isDistilling)?.id, old.id);

      cluster.killRaylet("n2");
      await until(() => processesWith(`--id ${old.id}`).length === 0);
      await cluster.kill(other);
      const next = await until(async () => {
        const found = (await plane.client.workers()).find(isDistilling);
        return found?.id === old.id ? undefined : found;
      });
      const experiment = await plane.ended(id);
      assert.equal(experiment.state, State.SUCCEEDED, experiment.failure?.message);
      const distill = experiment.tasks.find((task) => task.id.endsWith("distill"));
      assert.equal(distill?.workerId, next.id);
      assert.equal(hashOfDistilled(plane.home, id), hashWithoutControlPlane(test, spec));
      await nothingIsLeft(cluster, plane.plane.workerAddress);
    },
  );

  it("may wait for a node and be killed there, and nothing fails", RAY, async (test) => {
    const cluster = await RayCluster.start(test, ["n1"]);
    await cluster.occupy("other");
    const plane = await planeOn(test, cluster);
    const { id } = await plane.client.create(quickSpec(), "");
    const waits = async (reason: string, { client }: TestPlane) =>
      (await client.workers()).find((each) => each.reason === reason);
    const waiting = await until(() => waits("Resources", plane));
    assert.equal(waiting.state, WorkerState.PENDING);
    const actor = (await cluster.actors()).find(({ name }) => name === waiting.id);
    assert.ok(actor, "the launch has its worker's name");
    await cluster.kill(actor);
    const fault = await plane.poolFault("ray");
    assert.match(fault, /killed by `ray.kill`/);
    const { tasks, state } = await plane.experiment(id);
    assert.equal(state, State.QUEUED);
    assert.ok(tasks.every((task) => task.attempt === 0 && task.state === State.QUEUED));
    await plane.stop();
    const left = (await cluster.actors()).map(({ name }) => name);
    assert.deepEqual(left, ["other"], "the end of the plane ends all of its actors");

    const large = await planeOn(test, cluster, { options: { cpus: "4" } });
    await large.client.create(quickSpec(), "");
    await until(() => waits("no node has 4 CPU", large));
  });

  it(
    "keep their task and attempt when the control plane is killed and comes back",
    RAY,
    async (test) => {
      const cluster = await RayCluster.start(test, ["n1"]);
      const gate = join(temporaryFolder(test), "gate");
      const ports = { workerPort: await freePort(), grpcPort: await freePort() };
      const options = {
        ...{ home: temporaryFolder(test), pythonPath: PYTHON, timings: QUICK, ...ports },
        engines: [rayPool(cluster, 1, { python: gatedWorkers(test, gate) })],
      };
      const first = await planeProcess(test, cluster.env, options);
      const { id } = await first.client.create(quickSpec(), "");
      for await (const { kind } of first.client.watch(id, 0n))
        if (kind?.$case === "progress") break;
      first.child.kill("SIGKILL");
      await once(first.child, "exit");
      const [before] = await cluster.actors();
      assert.ok(before);
      // What a killed control plane asked for and could not note has the same beginning.
      const stray = `${before.name.slice(0, -8)}00000000`;
      await cluster.occupy(stray, { namespace: before.namespace, runs: false });
      const second = await planeProcess(test, cluster.env, options);
      await until(async () => (await cluster.actors()).every(({ name }) => name !== stray));
      writeFileSync(gate, "");
      for await (const _ of second.client.watch(id, 0n));
      const { experiment } = await second.client.get(id);
      assert.equal(experiment.state, State.SUCCEEDED);
      const distill = experiment.tasks.find((task) => task.id.endsWith("distill"));
      assert.deepEqual([distill?.attempt, distill?.workerId], [1, before.name]);
      await nothingIsLeft(cluster, `127.0.0.1:${ports.workerPort}`);
    },
  );

  it("are asked for again when the cluster is there, and tried by doctor", RAY, async (test) => {
    const ports = { port: await freePort(), clientPort: await freePort() };
    const cluster = RayCluster.at(test, ports);
    const plane = await planeOn(test, cluster, { options: { python: workerCommand(test, 2) } });
    const { id } = await plane.client.create(quickSpec(), "");
    const fault = await plane.poolFault("ray");
    assert.match(fault, new RegExp(`${cluster.address}.*(no answer|onnect)`));
    assert.equal((await plane.experiment(id)).state, State.QUEUED);
    await cluster.startNode("n1");
    assert.equal((await plane.ended(id)).state, State.SUCCEEDED);
    await plane.stop();

    const { exitCode, byName } = await tried(test, cluster.env, ["--launcher", cluster.address]);
    const bad = [...byName.values()].filter(({ status }) => status !== "ok");
    assert.deepEqual([exitCode, bad], [0, []]);
    assert.match(byName.get("Seat")?.detail ?? "", /^ray-\w+-\w+ joined from \S+ after/);
    assert.deepEqual(await cluster.actors(), []);
  });
});

/** Whether a process belongs to this cluster, as other tests have one as well. */
function isOf({ env }: RayCluster) {
  return (pid: number): boolean => hasVariable(pid, "RAY_AUTH_TOKEN", env.RAY_AUTH_TOKEN);
}
