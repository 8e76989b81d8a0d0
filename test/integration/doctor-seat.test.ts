import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, type TestContext } from "node:test";
import { runDoctor } from "../../src/cli/service/doctor.js";
import type { Check } from "../../src/cli/service/doctor-checks.js";
import { terminalOf } from "../../src/cli/terminal/terminal.js";
import { startSeatTrial } from "../../src/main/seat-trial.js";
import { KubernetesCluster, missingKubernetes } from "../fixtures/kubernetes.js";
import { RecordedOutput } from "../fixtures/recorded-output.js";
import { missingSlurm, SlurmCluster } from "../fixtures/slurm.js";
import { temporaryFolder } from "../fixtures/temporary-folder.js";
import { PYTHON } from "../fixtures/tiny.js";
import { it } from "../fixtures/waiting.js";

const SLURM = { skip: missingSlurm() ?? false };
const KUBERNETES = { skip: missingKubernetes() ?? false };
const PORTS = ["--grpc-port", "0", "--worker-port", "0"];
const IMAGE = ["--image", "lab/worker:1", "--launcher-option", "namespace=lab"];

/** What it says of the engine, after what it says of this machine. */
async function tried(test: TestContext, env: NodeJS.ProcessEnv, argv: readonly string[]) {
  const [stdout, stderr] = [new RecordedOutput(), new RecordedOutput()];
  const home = join(temporaryFolder(test), "home");
  const { signal: stop } = new AbortController();
  const exitCode = await runDoctor([...argv, ...PORTS, "--json"], {
    terminal: terminalOf(stdout, stderr, {}),
    nodeVersion: "20.11.0",
    home,
    runningAt: () => Promise.resolve(undefined),
    inspectPython: () => Promise.resolve({ checks: [] }),
    startSeatTrial: (request) => startSeatTrial(request, { home, pythonPath: PYTHON, env, stop }),
  });
  assert.deepEqual(readdirSync(home), [], "the home of the try is gone");
  const checks = (JSON.parse(stdout.text).checks as Check[]).slice(3);
  const byName = new Map(checks.map((check) => [check.name, check]));
  return { exitCode, byName, notes: stderr.text };
}

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
