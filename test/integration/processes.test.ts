import assert from "node:assert/strict";
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, type TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { StillhouseClient } from "../../src/api/client.js";
import { openHome } from "../../src/control-plane.js";
import { FailureKind } from "../../src/errors.js";
import { type Event, State } from "../../src/generated/stillhouse/v1/experiment.js";
import { commandLines, isAlive } from "../fixtures/command.js";
import { resolvedSpec } from "../fixtures/experiments.js";
import { sendSignal } from "../fixtures/signals.js";
import { afterwards, temporaryFolder } from "../fixtures/temporary-folder.js";
import { it, until } from "../fixtures/waiting.js";
import { TestPlane, workerCommand } from "./test-plane.js";

const PLANE = fileURLToPath(new URL("../fixtures/plane-process.mjs", import.meta.url));

function quickSpec(seed = 7) {
  const spec = resolvedSpec();
  spec.seed = seed;
  spec.baseline = { ...spec.baseline, full: false, random: false, untrained: false };
  return spec;
}

/** Processes of test workers whose arguments contain a text, such as a worker's id. */
function workersOf(text: string): number[] {
  return commandLines()
    .filter(({ line }) => line.includes("test-worker.ts") && line.includes(text))
    .map(({ pid }) => pid);
}

function progressed({ kind }: Event): boolean {
  return kind?.$case === "progress" && kind.value.done > 2n;
}

/** A script that stands for Python. */
function script(test: TestContext, text: string): string {
  const path = join(temporaryFolder(test), "python");
  writeFileSync(path, `#!/bin/sh\n${text}\n`);
  chmodSync(path, 0o755);
  return path;
}

describe("a worker process", () => {
  it("is started for the first task, does all of them and ends with the plane", async (test) => {
    const options = { numWorkers: 1, pythonPath: workerCommand(test, 2) };
    const plane = await TestPlane.start(test, options);
    const { zmq } = { zmq: plane.plane.workerAddress };
    assert.deepEqual(workersOf(zmq), []);
    const { id } = await plane.client.create(resolvedSpec(), "");
    const experiment = await plane.ended(id);
    assert.equal(experiment.state, State.SUCCEEDED);
    assert.equal(workersOf(zmq).length, 1, "one process for five tasks");
    await plane.stop();
    assert.deepEqual(workersOf(zmq), []);
    const logs = readdirSync(join(plane.home, "logs"));
    assert.equal(logs.filter((name) => name.startsWith("worker-")).length, 1);
  });

  it("that is killed loses nothing: another one continues from the checkpoint", async (test) => {
    const options = { numWorkers: 1, pythonPath: workerCommand(test, 150) };
    const plane = await TestPlane.start(test, options);
    const { id } = await plane.client.create(quickSpec(), "");
    await plane.seen(id, progressed);
    const [pid] = workersOf(plane.plane.workerAddress);
    assert.ok(pid);
    sendSignal(pid, "SIGKILL");
    const resumed = await plane.seen(
      id,
      ({ kind }) => kind?.$case === "progress" && (kind.value.values.from ?? 0) > 2,
    );
    assert.ok(resumed);
    const experiment = await plane.ended(id);
    assert.equal(experiment.state, State.SUCCEEDED);
    assert.equal(experiment.tasks[0]?.attempt, 2);
  });

  it("that cannot even start fails the experiment with the reason and the remedy", async (test) => {
    const pythonPath = join(temporaryFolder(test), ".venv", "bin", "python");
    const plane = await TestPlane.start(test, { numWorkers: 1, pythonPath });
    const { id } = await plane.client.create(resolvedSpec(), "");
    const { failure, tasks } = await plane.ended(id);
    assert.equal(failure?.kind, FailureKind.ENVIRONMENT);
    const said = `no worker could be started, ${pythonPath} does not exist; run the command again`;
    assert.ok(failure?.message.includes(said), failure?.message);
    assert.ok(tasks.every(({ state }) => state !== State.QUEUED));
  });

  it("that dies at its start fails the experiment with the last line of its log", async (test) => {
    const dying = script(test, "echo Traceback >&2; echo 'No module named torch' >&2; exit 1");
    const plane = await TestPlane.start(test, { numWorkers: 1, pythonPath: dying });
    const { id } = await plane.client.create(quickSpec(), "");
    const { failure } = await plane.ended(id);
    assert.equal(failure?.kind, FailureKind.ENVIRONMENT);
    assert.match(failure?.message ?? "", /exit code 1: No module named torch; run the command/);
    assert.equal(failure?.traceback, "Traceback\nNo module named torch");
  });

  it("that cannot be started while another worker works is not started again and again", async (test) => {
    const starts = join(temporaryFolder(test), "starts");
    const dying = script(test, `echo start >> "${starts}"; exit 1`);
    const plane = await TestPlane.start(test, { numWorkers: 1, pythonPath: dying });
    const worker = await plane.worker();
    const { id } = await plane.client.create(resolvedSpec(), "");
    await until(() => existsSync(starts));
    await sleep(500);
    for (let count = 0; count < 5; count++) await worker.finishNext();
    assert.equal((await plane.ended(id)).state, State.SUCCEEDED);
    assert.equal(readFileSync(starts, "utf8"), "start\n");
  });

  it("that says no hello is ended and fails the experiment", async (test) => {
    const silent = script(test, "exec sleep 600");
    const timings = { startUpMs: 300 };
    const plane = await TestPlane.start(test, { numWorkers: 1, pythonPath: silent, timings });
    const { id } = await plane.client.create(quickSpec(), "");
    const { failure } = await plane.ended(id);
    assert.equal(failure?.kind, FailureKind.ENVIRONMENT);
    assert.match(failure?.message ?? "", /killed by SIGKILL/);
  });

  it("that does not stop is killed with its child processes after the grace period", async (test) => {
    const pidFile = join(temporaryFolder(test), "pid");
    const stubborn = script(
      test,
      `trap '' TERM; sleep 600 & echo $! > "${pidFile}"; while true; do wait; done`,
    );
    const timings = { stopGraceMs: 300 };
    const plane = await TestPlane.start(test, { numWorkers: 1, pythonPath: stubborn, timings });
    await plane.client.create(quickSpec(), "");
    await until(() => existsSync(pidFile) && readFileSync(pidFile, "utf8") !== "");
    const child = Number(readFileSync(pidFile, "utf8"));
    assert.ok(isAlive(child));
    await plane.stop();
    await until(() => !isAlive(child));
  });

  it("stops after a checkpoint when cancelled, and a resume continues from there", async (test) => {
    const options = { numWorkers: 1, pythonPath: workerCommand(test, 150) };
    const plane = await TestPlane.start(test, options);
    const { id } = await plane.client.create(quickSpec(), "");
    await plane.seen(id, progressed);
    assert.equal((await plane.client.cancel(id)).state, State.CANCELLED);
    const step = Number(readFileSync(join(plane.home, "work", `${id}-distill`, "step"), "utf8"));
    assert.ok(step > 2);
    await plane.client.resume(id);
    const progress = await plane.seen(id, ({ kind }) => kind?.$case === "progress");
    assert.ok(progress.kind?.$case === "progress" && progress.kind.value.values.from === step);
    assert.equal((await plane.ended(id)).state, State.SUCCEEDED);
  });
});

describe("a control plane", () => {
  it("that stops leaves its experiments to the next one, which continues from the checkpoint", async (test) => {
    const home = temporaryFolder(test);
    const options = { home, numWorkers: 1, pythonPath: workerCommand(test, 40) };
    const first = await TestPlane.start(test, options);
    const { id } = await first.client.create(quickSpec(), "");
    await first.seen(id, progressed);
    await first.stop();
    assert.deepEqual(workersOf(first.plane.workerAddress), []);
    assert.ok(Number(readFileSync(join(home, "work", `${id}-distill`, "step"), "utf8")) > 2);
    const second = await TestPlane.start(test, options);
    assert.deepEqual(second.plane.leftQueued, []);
    const experiment = await second.ended(id);
    assert.equal(experiment.state, State.SUCCEEDED);
    assert.equal(experiment.tasks[0]?.attempt, 2);
  });

  it("leaves unfinished experiments queued that it was not asked to continue", async (test) => {
    const home = temporaryFolder(test);
    const first = await TestPlane.start(test, { home });
    const wanted = await first.client.create(quickSpec(1), "");
    const other = await first.client.create(quickSpec(2), "");
    const asked = await first.client.create(quickSpec(3), "request");
    const dropped = await first.client.create(quickSpec(4), "");
    await first.stop();
    const second = await TestPlane.start(test, { home, adopt: [wanted.id] });
    assert.deepEqual(second.plane.leftQueued, [other.id, asked.id, dropped.id]);
    const worker = await second.worker();
    for (const id of [wanted.id, wanted.id]) {
      assert.equal((await worker.finishNext()).experimentId, id);
    }
    assert.equal((await second.ended(wanted.id)).state, State.SUCCEEDED);
    const { experiments } = await second.client.list(10, "");
    const queued = experiments.filter(({ state }) => state === State.QUEUED);
    assert.equal(queued.length, 3);
    // They continue, or end, when somebody asks for it.
    assert.equal((await second.client.cancel(dropped.id)).state, State.CANCELLED);
    await second.client.resume(other.id);
    assert.equal((await worker.finishNext()).experimentId, other.id);
    await second.client.create(quickSpec(3), "request");
    await worker.finishNext();
    assert.equal((await worker.finishNext()).experimentId, asked.id);
    await second.stop();
    // A control plane that runs on its own continues all of them.
    const third = await TestPlane.start(test, { home });
    assert.deepEqual(third.plane.leftQueued, []);
  });

  it("that is killed is taken over: workers end, events and results stay, the task continues", async (test) => {
    const home = temporaryFolder(test);
    const pythonPath = workerCommand(test, 60);
    const { child, address } = await planeProcess(test, home, pythonPath);
    const client = new StillhouseClient(address);
    const { id } = await client.create(quickSpec(), "request");
    let last = 0n;
    for await (const event of client.watch(id, 0n)) {
      if (event.sequence > last) last = event.sequence;
      if (progressed(event)) break;
    }
    const [worker] = workersOf(address);
    assert.ok(worker);
    child.kill("SIGKILL");
    await once(child, "exit");
    const lost = client.watch(id, last);
    await assert.rejects(async () => lost.next(), /no control plane answers/);
    client.close();

    const plane = await TestPlane.start(test, { home, numWorkers: 1, pythonPath });
    assert.equal((await plane.client.create(quickSpec(), "request")).id, id);
    const sequences: bigint[] = [];
    for await (const { sequence, kind } of plane.client.watch(id, last)) {
      if (sequence > 0n && kind?.$case !== "experiment") sequences.push(sequence);
    }
    assert.ok(sequences.every((sequence) => sequence > last));
    assert.equal(new Set(sequences).size, sequences.length);
    const experiment = await plane.experiment(id);
    assert.equal(experiment.state, State.SUCCEEDED);
    assert.equal(experiment.tasks[0]?.attempt, 2);
    await until(() => !isAlive(worker));
  });

  it("is joined by a second process on the same home", async (test) => {
    const home = temporaryFolder(test);
    const { address } = await planeProcess(test, home, join(home, "no-python"));
    const opened = await openHome(home, console.error);
    assert.ok(opened.kind === "running");
    assert.equal(opened.address, address);
  });

  it("keeps its home while it stops, and the next one owns the home afterwards", async (test) => {
    const first = await TestPlane.start(test);
    const opening = openHome(first.home, console.error);
    assert.equal((await opening).kind, "running");
    const stopping = first.stop();
    const second = await openHome(first.home, console.error);
    await stopping;
    assert.ok(second.kind === "owner");
    second.lock.release();
  });

  it("refuses new experiments while its disk is full, can be read and emptied, and then continues", async (test) => {
    const home = temporaryFolder(test);
    const earlier = await TestPlane.start(test, { home });
    const { id: done } = await earlier.client.create(quickSpec(2_000), "");
    await earlier.client.cancel(done);
    await earlier.stop();
    const { child, address } = await planeProcess(test, home, workerCommand(test, 2), 400);
    const client = new StillhouseClient(address);
    afterwards(test, () => client.close());
    const full = /disk is full or a quota is reached/;
    const ids: string[] = [];
    const fill = async () => {
      for (let seed = 0; seed < 2_000; seed++)
        ids.push((await client.create(quickSpec(seed), "")).id);
    };
    const ended = async (id = "") => {
      for await (const _ of client.watch(id, 0n)) {
        // The watch ends with the experiment, or with the failure.
      }
    };
    await assert.rejects(fill, full);
    await assert.rejects(ended(ids.at(-1)), full);
    await assert.rejects(client.create(quickSpec(2_001), ""), full);
    await assert.rejects(client.cancel(ids.at(-1) ?? ""), full);
    const { experiments: listed } = await client.list(1_000, "");
    assert.deepEqual(listed.map(({ id }) => id).sort(), [done, ...ids].sort());
    await ended(done);
    assert.equal((await client.get(done)).experiment?.id, done);
    await client.delete(done);

    execFileSync("prlimit", ["--pid", String(child.pid), "--fsize=unlimited"]);
    const another = async () => ids.push((await client.create(quickSpec(2_001), "")).id);
    const isBack = () =>
      another().then(
        () => true,
        () => false,
      );
    await until(isBack);
    for (const id of ids) await ended(id);
    const { experiments } = await client.list(1_000, "");
    assert.deepEqual(new Set(experiments.map(({ id }) => id)), new Set(ids));
    for (const { id, state, tasks } of experiments) {
      assert.equal(state, State.SUCCEEDED, id);
      assert.ok(tasks.every(({ attempt }) => attempt <= 2), id); // biome-ignore format: one line
    }
  });

  it("keeps its database sound when it is killed with a full disk", async (test) => {
    const home = temporaryFolder(test);
    const { child, address } = await planeProcess(test, home, workerCommand(test, 2), 400);
    const client = new StillhouseClient(address);
    const fill = async () => {
      for (let seed = 0; seed < 2_000; seed++) await client.create(quickSpec(seed), "");
    };
    await assert.rejects(fill);
    child.kill("SIGKILL");
    await once(child, "exit");
    client.close();
    const plane = await TestPlane.start(test, { home });
    assert.ok((await plane.client.list(1000, "")).experiments.length > 1);
  });
});

/** @param maxBlocks limit on the size of files, in KiB, which acts like a full disk at first */
async function planeProcess(
  test: TestContext,
  home: string,
  pythonPath: string,
  maxBlocks?: number,
): Promise<{ child: ChildProcess; address: string }> {
  const limit = maxBlocks === undefined ? "" : `ulimit -S -f ${maxBlocks};`;
  const command = `${limit} exec "$0" "$1" "$2"`;
  const options = JSON.stringify({ home, pythonPath, numWorkers: 1 });
  const args = ["-c", command, process.execPath, PLANE, options];
  const child = spawn("bash", args, { stdio: ["ignore", "pipe", "pipe"] });
  afterwards(test, () => child.kill("SIGKILL"));
  const [line] = await once(child.stdout, "data");
  return { child, address: JSON.parse(line).grpc };
}
