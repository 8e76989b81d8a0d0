import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { StillhouseClient } from "../../src/api/client.js";
import { type Experiment, State, type Task } from "../../src/generated/stillhouse/v1/experiment.js";
import { descendants, type Ended, RunningCommand, runCommand } from "../fixtures/command.js";
import { freePort } from "../fixtures/free-port.js";
import { CommandHere } from "../fixtures/kept-home.js";
import { sendSignal } from "../fixtures/signals.js";
import { tinyDataAndModel, tinyFlags } from "../fixtures/tiny.js";
import { it } from "../fixtures/waiting.js";

const STEPS = 140;
/** Time in which the worker takes some steps without a server, but not all of them. */
const ALONE_MS = 150;
const FLAGS = [
  ...tinyFlags(tinyDataAndModel()),
  "--baselines",
  "none",
  "--outer-steps",
  `${STEPS}`,
];

const folder = mkdtempSync(join(tmpdir(), "stillhouse-service-"));
const home = join(folder, "home");
const ports = { grpc: await freePort(), worker: await freePort() };
const address = `127.0.0.1:${ports.grpc}`;
const client = new StillhouseClient(address);
const running = new Set<RunningCommand>();

after(async () => {
  client.close();
  for (const command of running) command.signal("SIGKILL");
  await Promise.all([...running].map((command) => command.ended));
  rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
});

/** Starts the server; resolves once it says that it is ready. */
async function serve(): Promise<RunningCommand> {
  const { grpc, worker } = ports;
  const flags = ["--grpc-port", grpc, "--worker-port", worker, "--http-port", 0, "--workers", 0];
  const server = started(["--home", home, "--json", ...flags.map(String)], "serve");
  while (!server.stdout.includes("\n")) {
    assert.equal(server.child.exitCode, null, server.stderr);
    await sleep(20);
  }
  const ready = JSON.parse(server.stdout);
  assert.equal(ready.ready, true);
  assert.deepEqual([ready.grpc, ready.workers], [address, `tcp://127.0.0.1:${worker}`]);
  return server;
}

function worker(): RunningCommand {
  const connect = ["--connect", `tcp://127.0.0.1:${ports.worker}`, "--device", "cpu"];
  const place = ["--work-dir", join(folder, "elsewhere"), "--no-shared-folders"];
  return started([...connect, ...place], "worker");
}

function started(args: readonly string[], script: string): RunningCommand {
  const command = new RunningCommand(args, join(folder, "unused"), script);
  running.add(command);
  void command.ended.then(() => running.delete(command));
  return command;
}

/** Runs a command that names the server, in this process. */
function here(args: readonly string[], script: string): Promise<Ended> {
  return new CommandHere(args, join(folder, "unused"), script).ended;
}

function stillhouse(...args: string[]): Promise<Ended> {
  return here([...args, "--server", address], "stillhouse");
}

async function detached(...flags: string[]): Promise<string> {
  const args = [...FLAGS, ...flags, "--server", address, "--detach"];
  const { exitCode, stdout, stderr } = await here(args, "experiment");
  assert.equal(exitCode, 0, stderr);
  assert.match(stdout, /^\w+\n$/, "the id alone, for a script");
  return stdout.trim();
}

/** The JSON that a command prints. */
async function asked(script: string, ...args: string[]) {
  const flags = [...args, "--server", address, "--json"];
  const { exitCode, stdout, stderr } = await here(flags, script);
  assert.equal(exitCode, 0, stderr);
  return JSON.parse(stdout);
}

/** The id of the newest experiment that distilled. */
async function distilledId(): Promise<string> {
  const { experiments } = await client.list(10, "");
  const isDistilled = ({ work }: Task) => work?.kind?.$case === "distill";
  return experiments.find(({ tasks }) => tasks.some(isDistilled))?.id ?? "";
}

async function detachedSweep(...flags: string[]): Promise<string[]> {
  const asking = asked("sweep", ...FLAGS, ...flags, "--detach");
  const { experiments, sweep_id: sweepId } = await asking;
  const ids = experiments.map((stored: { experiment_id: string }) => stored.experiment_id);
  assert.deepEqual((await client.sweep(sweepId)).experimentIds, ids);
  return ids;
}

/** Waits until the distillation has reached a step. */
async function reached(id: string, step: number): Promise<void> {
  for await (const { kind } of client.watch(id, 0n)) {
    if (kind?.$case === "progress" && kind.value.done >= BigInt(step)) return;
  }
  throw new Error(`experiment ${id} ended before step ${step}`);
}

async function ended(id: string): Promise<Experiment> {
  for await (const _ of client.watch(id, 0n)) {
    // The watch ends with the experiment.
  }
  const { experiment } = await client.get(id);
  assert.ok(experiment);
  assert.equal(experiment.state, State.SUCCEEDED, experiment.failure?.message);
  return experiment;
}

function distilledHash(id: string): string {
  const content = readFileSync(join(home, "artifacts", id, "distilled.safetensors"));
  return createHash("sha256").update(content).digest("hex");
}

/** Every metric of outer steps has exactly one point per outer step. */
async function assertWhole(id: string, numAttempts: number): Promise<void> {
  const summaries = await client.metrics(id);
  const losses = summaries.find(({ name }) => name === "outer_loss");
  assert.equal(losses?.numPoints, BigInt(STEPS), `after ${numAttempts} attempts`);
  const series = await client.series(id, { names: ["outer_loss", "inner_loss", "grad_norm"] });
  assert.equal(series.length, 3);
  const all = Array.from({ length: STEPS }, (_, at) => BigInt(at + 1));
  for (const { name, steps } of series) assert.deepEqual(steps, all, name);
}

describe("a service with a remote worker", () => {
  it("loses nothing when it is killed, even if the worker ends too", async () => {
    let server = await serve();
    let elsewhere = worker();
    const id = await detached();
    await reached(id, 20);
    server.signal("SIGKILL");
    await server.ended;
    await sleep(ALONE_MS);
    // Otherwise the distillation could end before the server on a busy machine is back.
    const paused = descendants(elsewhere.child.pid ?? 0);
    for (const pid of paused) sendSignal(pid, "SIGSTOP");
    server = await serve();
    for (const pid of paused) sendSignal(pid, "SIGCONT");
    await reached(id, 60);
    const { experiment } = await client.get(id);
    assert.equal(experiment?.tasks[0]?.attempt, 1, "the task continued where it was");

    server.signal("SIGKILL");
    await server.ended;
    await sleep(ALONE_MS); // the steps of this time are in the journal alone
    elsewhere.signal("SIGTERM");
    assert.equal((await elsewhere.ended).exitCode, 0, elsewhere.stderr);
    const [task] = readdirSync(join(folder, "elsewhere", "tasks"));
    assert.equal(task, `${id}-distill`, "its checkpoint and its journal stay with it");
    server = await serve();
    elsewhere = worker();
    const done = await ended(id);
    assert.deepEqual(
      done.tasks.map(({ attempt }) => attempt),
      [2, 1],
    );
    await assertWhole(id, 2);
    const calm = await detached("--fresh");
    await ended(calm);
    await assertWhole(calm, 1);
    assert.equal(distilledHash(id), distilledHash(calm));
  });

  it("answers ls, show, logs, export and rm, each by the beginning of an id", async () => {
    const listed = await stillhouse("ls", "--state", "succeeded", "--json");
    assert.equal(listed.exitCode, 0, listed.stderr);
    const { experiments } = JSON.parse(listed.stdout);
    assert.equal(experiments.length, 2);
    const id: string = experiments[1].id;
    const prefix = id.slice(0, 9);
    const out = join(folder, "exported");
    const [shown, logs, exported, table, workers] = await Promise.all([
      stillhouse("show", prefix),
      stillhouse("logs", prefix, "--json"),
      stillhouse("export", prefix, "--out", out, "--metrics", "csv"),
      stillhouse("ls"),
      stillhouse("workers", "--json"),
    ]);
    assert.match(shown.stdout, new RegExp(`Experiment +${id}`));
    assert.match(shown.stdout, /Distillation +│ succeeded │ +2 +│/);
    assert.match(shown.stdout, /Distilled data +│ +2 │ +1 │ +[\d.]+ ± [\d.]+ │ 3 │/);
    const lines = logs.stdout.trim().split("\n");
    assert.ok(lines.some((line) => /resumed at outer step/.test(JSON.parse(line).message)));
    assert.equal(exported.exitCode, 0, exported.stderr);
    const bytes = readFileSync(join(out, "artifact", "distilled.safetensors"));
    assert.equal(createHash("sha256").update(bytes).digest("hex"), distilledHash(id));
    const points = readFileSync(join(out, "metrics.csv"), "utf8").match(/,outer_loss,/g);
    assert.equal(points?.length, STEPS);
    assert.match(table.stdout, new RegExp(`│ ${id} │ succeeded │ colours +│ model │`));
    assert.equal(JSON.parse(workers.stdout).workers[0].state, "WORKER_STATE_IDLE");
    const removed = await stillhouse("rm", prefix, "--json");
    assert.equal(removed.exitCode, 0, removed.stderr);
    const missing = await stillhouse("show", prefix);
    assert.deepEqual([missing.exitCode, missing.stdout], [1, ""]);
    assert.match(missing.stderr, /no experiment has an id that begins with/);
    const nobody = await stillhouse("workers", "drain", "nobody");
    assert.deepEqual([nobody.exitCode, nobody.stdout], [1, ""]);
    assert.match(nobody.stderr, /no worker has an id that begins with nobody/);
    assert.equal((await stillhouse("workers", "drain", "")).exitCode, 2);
  });

  it("shows the content of an experiment's distilled data", async () => {
    const accuracy = ["--accuracy", "--inits", "1"];
    const shown = await asked("inspect", await distilledId(), "--top", "1", ...accuracy);
    assert.equal(shown.samples.length, 2, "classes");
    const rows = shown.accuracy.map(({ id, n }: { id: string; n: number }) => [id, n]);
    assert.deepEqual(rows[0], ["plain", 1]);
    assert.ok(rows.length > 1, "learners on the nearest tokens too");
  });

  it("runs detached robustness and tables, and shows them to the same command", async () => {
    const checks = ["--checks", "head-init", "--baselines", "none", "--inits", "1"];
    const robustness = [await distilledId(), ...checks];
    const tables = [
      "full-data",
      ...FLAGS.filter((word) => !["--baselines", "none"].includes(word)),
    ];
    for (const [script, args] of Object.entries({ robustness, reproduce: tables })) {
      const placed = [...args, "--priority", "3", "--detach"];
      const { experiments, sweep_id: sweepId } = await asked(script, ...placed);
      assert.equal(experiments.length, 1);
      const id = experiments[0].experiment_id;
      const { sweepId: stored, priority } = await ended(id);
      assert.equal(stored, sweepId ?? "", "a sweep for tables alone");
      assert.equal(priority, 3);
      const shown = await stillhouse("show", id);
      assert.match(
        shown.stdout,
        script === "robustness" ? /head from N\(0, 0\.02\)/ : /│ Full data/,
      );
      const document = await asked(script, ...args);
      if (script === "robustness") assert.equal(document.experiment_id, id);
      else assert.equal(document.tables[0].rows[0].experiment_id, id);
    }
  });

  it("drains at SIGTERM: running tasks stop after a checkpoint and stay queued", async () => {
    const server = [...running].find(({ stdout }) => stdout.includes('"ready":true'));
    assert.ok(server);
    const [id = "", other = ""] = await detachedSweep("--outer-steps", "1000000", "--seed", "1,2");
    await reached(id, 5);
    const [worker] = await client.workers();
    const drained = await stillhouse("workers", "drain", worker?.id.slice(0, -1) ?? "");
    assert.equal(drained.stdout, `${worker?.id}  draining\n`);
    server.signal("SIGTERM");
    const { exitCode, stderr } = await server.ended;
    assert.equal(exitCode, 0, stderr);
    const gone = await stillhouse("ls");
    assert.equal(gone.exitCode, 3);
    const ofHome = await runCommand(["show", id, "--json"], home, "stillhouse");
    assert.equal(ofHome.exitCode, 0, ofHome.stderr);
    assert.equal(JSON.parse(ofHome.stdout).experiment.tasks[0].state, "STATE_QUEUED");
    const left = await runCommand(["--resume", other, "--detach"], home);
    assert.equal(left.exitCode, 2);
    assert.match(left.stderr, /--detach needs a control plane that keeps running/);
  });
});
