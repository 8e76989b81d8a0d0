import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe } from "node:test";
import { State } from "../../src/generated/stillhouse/v1/experiment.js";
import { WorkerState } from "../../src/generated/stillhouse/v1/service.js";
import { commandLines } from "../fixtures/command.js";
import { quickSpec } from "../fixtures/experiments.js";
import { KubernetesCluster, kubernetesPool, missingKubernetes } from "../fixtures/kubernetes.js";
import { temporaryFolder } from "../fixtures/temporary-folder.js";
import { PYTHON } from "../fixtures/tiny.js";
import { it, until } from "../fixtures/waiting.js";
import { TestPlane, workerCommand } from "./test-plane.js";

const KUBERNETES = { skip: missingKubernetes() ?? false };

describe("workers that Kubernetes starts", () => {
  it(
    "come for work with keys of their own, are never too many, and go",
    KUBERNETES,
    async (test) => {
      const cluster = await KubernetesCluster.start(test, workerCommand(test, 5));
      const home = temporaryFolder(test);
      writeFileSync(join(home, "closed"), "");
      const engines = [kubernetesPool(2)];
      const { env } = cluster;
      const plane = await TestPlane.start(test, { home, env, pythonPath: PYTHON, engines });
      assert.deepEqual((await cluster.content()).jobs, {});
      const ids = await Promise.all(
        [1, 2, 3].map(async (seed) => (await plane.client.create(quickSpec(seed), "")).id),
      );
      let most = 0;
      let areRunning = true;
      const ended = Promise.all(ids.map((id) => plane.ended(id))).finally(() => {
        areRunning = false;
      });
      await until(async () => {
        most = Math.max(most, Object.keys((await cluster.content()).pods).length);
        return !areRunning;
      });
      for (const { state } of await ended) assert.equal(state, State.SUCCEEDED);
      assert.equal(most, 2);
      await until(async () => (await plane.client.workers()).length === 0);
      const { jobs, secrets } = await cluster.content();
      const [secret] = Object.values(secrets);
      const names = ["control-plane.key", "curve.key_secret", "token"];
      assert.deepEqual(Object.keys(secret?.data ?? {}).sort(), names);
      const token = readFileSync(join(home, "pools", "k8s", "keys", "token"), "utf8").trim();
      const shown = [JSON.stringify(jobs), ...commandLines().map(({ line }) => line)];
      assert.ok(!shown.join("\n").includes(token));
      const left = commandLines().filter(({ line }) => line.includes(plane.plane.workerAddress));
      assert.deepEqual(left, []);
    },
  );

  it("may wait for a node, and are taken back when the plane ends", KUBERNETES, async (test) => {
    const cluster = await KubernetesCluster.start(test, "/bin/false", { isFull: true });
    const options = { env: cluster.env, pythonPath: PYTHON, engines: [kubernetesPool(1)] };
    const plane = await TestPlane.start(test, options);
    const { id } = await plane.client.create(quickSpec(), "");
    const waiting = await until(async () => {
      const found = await plane.client.workers();
      return found.find(({ reason }) => reason.startsWith("Unschedulable"));
    });
    assert.equal(waiting.state, WorkerState.PENDING);
    assert.deepEqual(Object.keys((await cluster.content()).jobs), [waiting.id]);
    assert.equal((await plane.experiment(id)).state, State.QUEUED);
    await plane.stop();
    assert.deepEqual((await cluster.content()).jobs, {});
  });

  it("are asked of the next pool where the first may have no more", KUBERNETES, async (test) => {
    const cluster = await KubernetesCluster.start(test, "/bin/false", { isFull: true });
    const engines = [
      { ...kubernetesPool(1), name: "own" },
      { ...kubernetesPool(2), name: "spot" },
    ];
    const options = { env: cluster.env, pythonPath: PYTHON, engines };
    const plane = await TestPlane.start(test, { ...options, http: { port: 0 } });
    for (const seed of [1, 2, 3, 4]) await plane.client.create(quickSpec(seed), "");
    const names = await until(async () => {
      const jobs = Object.keys((await cluster.content()).jobs);
      return jobs.length === 3 ? jobs.map((name) => name.split("-")[0]).sort() : undefined;
    });
    assert.deepEqual(names, ["own", "spot", "spot"]);
    const metrics = await until(async () => {
      const text = await (await fetch(`${plane.plane.httpAddress}/metrics`)).text();
      const isThere = text.includes('stillhouse_pool_workers{pool="spot",phase="pending"} 2');
      return isThere ? text : undefined;
    });
    assert.match(metrics, /stillhouse_pool_workers\{pool="own",phase="pending"\} 1/);
    assert.match(metrics, /stillhouse_pool_max_workers\{pool="spot"\} 2/);
    // As many as there are tasks, not as it may have.
    const [, wanted] = /stillhouse_pool_wanted_workers\{pool="spot"\} (\d+)/.exec(metrics) ?? [];
    assert.ok(Number(wanted) >= 4, wanted);
    assert.match(metrics, /stillhouse_pool_refused_launches_total\{pool="own"\} 0/);
    await plane.stop();
    assert.deepEqual((await cluster.content()).jobs, {});
  });

  it(
    "are started again where they end before their hello, and no task fails",
    KUBERNETES,
    async (test) => {
      const cluster = await KubernetesCluster.start(test, "/bin/false");
      const options = { env: cluster.env, pythonPath: PYTHON, engines: [kubernetesPool(1)] };
      const plane = await TestPlane.start(test, options);
      const { id } = await plane.client.create(quickSpec(), "");
      const fault = await plane.poolFault("k8s");
      assert.equal(fault, "Error, exit code 1");
      const { tasks, state } = await plane.experiment(id);
      assert.equal(state, State.QUEUED);
      assert.ok(tasks.every((task) => task.attempt === 0));
    },
  );
});
