import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import { join } from "node:path";
import { pipeline } from "node:stream";
import { describe, type TestContext } from "node:test";
import { type Event, State } from "../../src/generated/stillhouse/v1/experiment.js";
import { ExperimentSpec } from "../../src/generated/stillhouse/v1/spec.js";
import { homePaths } from "../../src/store/home.js";
import { tinySpec } from "../chaos/tiny-spec.js";
import { PythonWorker } from "../fixtures/python-worker.js";
import { afterwards, temporaryFolder } from "../fixtures/temporary-folder.js";
import { PYTHON } from "../fixtures/tiny.js";
import { it, until } from "../fixtures/waiting.js";
import { TestPlane } from "./test-plane.js";

const OUTER_STEPS = 120;
const TENSORS = "distilled.safetensors";
const LEASE_MS = 10_000;
/** Of the network between the hosts. */
const SUBNET = "10.213.77";

async function teamSpec(plane: TestPlane): Promise<ExperimentSpec> {
  const spec = await tinySpec(plane.client, OUTER_STEPS);
  spec.compute = { ...spec.compute, numDevices: 2 } as typeof spec.compute;
  return spec;
}

/** What as many processes of one host distil, each with one thread. */
function bytesOfOneHost(test: TestContext, spec: ExperimentSpec): string {
  const folder = temporaryFolder(test);
  writeFileSync(join(folder, "spec.json"), JSON.stringify(ExperimentSpec.toJSON(spec)));
  const args = ["-m", "stillhouse_worker", "run", join(folder, "spec.json"), "--work-dir", folder];
  execFileSync(PYTHON, args, { stdio: "pipe", env: { ...process.env, OMP_NUM_THREADS: "1" } });
  return sha256Of(join(folder, "artifact", TENSORS));
}

function sha256Of(path: string): string {
  return createHash("sha256").update(readFileSync(path)).digest("hex");
}

/** The id of an experiment of which three workers know and two have begun to make steps. */
async function distilling(plane: TestPlane, spec: ExperimentSpec): Promise<string> {
  await until(async () => (await plane.client.workers()).length === 3 || undefined);
  const { id } = await plane.client.create(spec, "");
  const isStep = ({ kind }: Event) =>
    kind?.$case === "progress" && kind.value.stage === "distilling" && kind.value.done > 10n;
  await plane.seen(id, isStep);
  return id;
}

function namespaces(test: TestContext, names: readonly string[]): string | undefined {
  const ip = (...args: string[]) => execFileSync("ip", args, { stdio: "pipe" });
  try {
    ip("link", "add", "sh-bridge", "type", "bridge");
    afterwards(test, () => ip("link", "del", "sh-bridge"));
    ip("addr", "add", `${SUBNET}.1/24`, "dev", "sh-bridge");
    ip("link", "set", "sh-bridge", "up");
    names.forEach((name, at) => {
      ip("netns", "add", name);
      afterwards(test, () => ip("netns", "del", name));
      ip("link", "add", `${name}-out`, "type", "veth", "peer", "name", "eth0", "netns", name);
      ip("link", "set", `${name}-out`, "master", "sh-bridge", "up");
      ip("-n", name, "addr", "add", `${SUBNET}.${at + 2}/24`, "dev", "eth0");
      ip("-n", name, "link", "set", "eth0", "up");
      ip("-n", name, "link", "set", "lo", "up");
    });
    return undefined;
  } catch (error) {
    return (error as Error).message.split("\n")[0];
  }
}

/** Makes a port of the loopback one of the bridge: beyond the loopback a control plane wants keys. */
async function relay(test: TestContext, port: number): Promise<void> {
  const server = createServer((from) => {
    const to = connect(port, "127.0.0.1");
    pipeline(from, to, from, () => undefined);
  });
  server.listen(port, `${SUBNET}.1`);
  await once(server, "listening");
  afterwards(test, () => server.close());
}

async function endsAsOnOneHost(
  test: TestContext,
  plane: TestPlane,
  id: string,
  spec: ExperimentSpec,
  attempt: number,
): Promise<void> {
  const experiment = await plane.ended(id);
  assert.equal(experiment.state, State.SUCCEEDED, experiment.failure?.message);
  const [distilled] = experiment.tasks;
  assert.equal(distilled?.attempt, attempt);
  assert.equal(distilled?.memberIds.length, 1);
  const own = sha256Of(join(homePaths(plane.home).artifacts, id, TENSORS));
  assert.equal(own, bytesOfOneHost(test, spec));
}

describe("a distillation on several hosts", () => {
  it("goes on from its checkpoint with another worker when one is killed, to the bytes of one host", async (test) => {
    const plane = await TestPlane.start(test, { pythonPath: PYTHON });
    const spec = await teamSpec(plane);
    const { workerAddress } = plane.plane;
    const workers = ["one", "two", "three"].map((machine) => [
      machine,
      new PythonWorker(test, machine, workerAddress, [], { machine }),
    ]);
    const id = await distilling(plane, spec);
    const [task] = (await plane.experiment(id)).tasks;
    const lost = workers.find(([name]) => task?.memberIds[0]?.startsWith(`${name}-`))?.[1];
    assert.ok(lost instanceof PythonWorker, task?.memberIds.join());
    await lost.kill();
    await endsAsOnOneHost(test, plane, id, spec, 2);
  });

  it("notices within the lease that the network to a host is cut", async (test) => {
    const names = ["sh-one", "sh-two", "sh-three"];
    const fault = namespaces(test, names);
    if (fault !== undefined) {
      test.skip(`this machine gives no network namespaces (root and iproute2): ${fault}`);
      return;
    }
    const timings = { leaseMs: LEASE_MS, hungAfterMs: 3_600_000 };
    const plane = await TestPlane.start(test, { pythonPath: PYTHON, timings });
    const { address, workerAddress } = plane.plane;
    for (const own of [address, workerAddress]) await relay(test, Number(own.split(":").at(-1)));
    const spec = await teamSpec(plane);
    for (const machine of names) {
      const place = { machine, namespace: machine };
      const reached = workerAddress.replace("127.0.0.1", `${SUBNET}.1`);
      new PythonWorker(test, machine, reached, [], place);
    }
    const id = await distilling(plane, spec);
    const [task] = (await plane.experiment(id)).tasks;
    const lost = names.find((name) => task?.memberIds[0]?.startsWith(`${name}-`));
    assert.ok(lost, task?.memberIds.join());
    const cutMs = performance.now();
    execFileSync("ip", ["link", "set", `${lost}-out`, "down"]);
    const isLost = ({ kind }: Event) =>
      kind?.$case === "log" && /was lost: .*of its team/.test(kind.value.message);
    await plane.seen(id, isLost);
    // One heartbeat and one look at the deadlines come on top.
    assert.ok(performance.now() - cutMs < 3 * LEASE_MS);
    await endsAsOnOneHost(test, plane, id, spec, 2);
  });
});
