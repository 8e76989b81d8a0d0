import assert from "node:assert/strict";
import { describe } from "node:test";
import { KubernetesCluster, missingKubernetes } from "../fixtures/kubernetes.js";
import { missingSlurm, SlurmCluster } from "../fixtures/slurm.js";
import { it } from "../fixtures/waiting.js";
import { tried } from "./tried-seat.js";

const SLURM = { skip: missingSlurm() ?? false };
const KUBERNETES = { skip: missingKubernetes() ?? false };
const IMAGE = ["--image", "lab/worker:1", "--launcher-option", "namespace=lab"];

describe("doctor --launcher", () => {
  it(
    "has Slurm start a worker, which says hello by both ports, and ends it",
    SLURM,
    async (test) => {
      const cluster = await SlurmCluster.start(test, ["n1"]);
      const options = ["--launcher-option", "poll=1"];
      const { exitCode, byName } = await tried(test, cluster.env, [
        "--launcher",
        "slurm",
        ...options,
      ]);
      assert.deepEqual(
        [...byName.values()].filter(({ status }) => status !== "ok"),
        [],
      );
      assert.equal(exitCode, 0);
      assert.match(byName.get("Seat")?.detail ?? "", /^slurm-\w+-\w+ joined from \S+ after/);
      assert.match(byName.get("Device")?.detail ?? "", /^cpu/);
      assert.match(byName.get("Versions")?.detail ?? "", /torch 2\./);
      assert.match(byName.get("Way back, workers")?.detail ?? "", /^tcp:\/\/127\.0\.0\.1:\d+$/);
      assert.match(byName.get("Way back, gRPC")?.detail ?? "", /^127\.0\.0\.1:\d+$/);
      assert.match(byName.get("End")?.detail ?? "", /^nothing is left/);
      assert.deepEqual(await cluster.jobs(), []);
    },
  );

  it("says what a worker waits for, and takes it back", KUBERNETES, async (test) => {
    const cluster = await KubernetesCluster.start(test, "/bin/false", { isFull: true });
    const argv = ["--launcher", "kubernetes", ...IMAGE, "--timeout", "3"];
    const { exitCode, byName, notes } = await tried(test, cluster.env, argv);
    assert.equal(exitCode, 1);
    assert.match(notes, /kubernetes-\S+: pending/);
    const { detail, remedy } = byName.get("Seat") ?? {};
    assert.match(detail ?? "", /^pending.* after 3 s$/);
    assert.equal(remedy, "--timeout waits longer");
    assert.equal(byName.get("End")?.status, "ok");
    assert.deepEqual((await cluster.content()).jobs, {});
  });

  it("says why a worker ended before its hello", KUBERNETES, async (test) => {
    const cluster = await KubernetesCluster.start(test, "/bin/false");
    const argv = ["--launcher", "kubernetes", ...IMAGE];
    const { exitCode, byName } = await tried(test, cluster.env, argv);
    assert.equal(exitCode, 1);
    assert.match(byName.get("Seat")?.detail ?? "", /^kubernetes: Error, exit code 1/);
  });
});
