import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import {
  descendants,
  type Ended,
  isAlive,
  RunningCommand,
  runCommand,
} from "../fixtures/command.js";
import { tinyDataAndModel, tinyFlags } from "../fixtures/tiny.js";
import { it, until } from "../fixtures/waiting.js";

const FLAGS = [...tinyFlags(tinyDataAndModel()), "--baselines", "none", "--json"];
/** Long enough to be interrupted three times, short enough to wait for. */
const INTERRUPTIBLE = [...FLAGS, "--outer-steps", "200", "--seed", "5"];
const SHORT = [...FLAGS, "--outer-steps", "5", "--validations", "1"];
const DISTILLING = /Distillation: .*outer step/;
const EXPERIMENT = /^Experiment ([0-9a-f]+)$/m;

const home = mkdtempSync(join(tmpdir(), "stillhouse-home-"));
const homeOfReference = mkdtempSync(join(tmpdir(), "stillhouse-home-"));
after(() => {
  for (const folder of [home, homeOfReference]) rmSync(folder, { recursive: true, force: true });
});

/** Hash of the distilled data of a run that succeeded. */
function distilledBytes({ exitCode, stdout, stderr }: Ended): string {
  assert.equal(exitCode, 0, stderr);
  const content = readFileSync(join(JSON.parse(stdout).artifact, "distilled.safetensors"));
  return createHash("sha256").update(content).digest("hex");
}

function isWorker(pid: number): boolean {
  return readFileSync(`/proc/${pid}/cmdline`, "utf8").includes("stillhouse_worker\0worker");
}

/** Waits: a worker that lost its control plane first waits for the answer to its last report. */
async function allEnded(pids: readonly number[]): Promise<void> {
  await until(() => !pids.some(isAlive));
}

/** The order matters: each test continues the experiment where the one before left it. */
describe("an interrupted experiment", () => {
  const uninterrupted = runCommand(INTERRUPTIBLE, homeOfReference).then(distilledBytes);
  let id: string;

  /** Resumes the experiment, and waits until it distils. */
  async function resumed(): Promise<RunningCommand> {
    const run = new RunningCommand(["--resume", id, "--json"], home);
    await run.sees(DISTILLING);
    return run;
  }

  it("stops after a checkpoint, says how to continue, and leaves no process behind; a command that shared its control plane takes over", async () => {
    const run = new RunningCommand(INTERRUPTIBLE, home);
    id = await run.sees(EXPERIMENT);
    const second = new RunningCommand(SHORT, home);
    await run.sees(DISTILLING);
    const processes = descendants(run.child.pid ?? 0);
    const workers = processes.filter(isWorker);
    assert.ok(workers.length > 0);
    // However long the second command takes to start, the distillation is not at its end by then.
    for (const pid of workers) process.kill(pid, "SIGSTOP");
    await second.sees(/Another command uses this home/);
    const other = await second.sees(EXPERIMENT);
    run.signal("SIGINT");
    for (const pid of workers.filter(isAlive)) process.kill(pid, "SIGCONT");
    run.signal("SIGINT"); // npm passes on the signal that the terminal has sent to both
    const { exitCode, stdout, stderr } = await run.ended;
    assert.equal(exitCode, 130, stderr);
    const document = JSON.parse(stdout);
    assert.equal(document.error.kind, "cancelled");
    assert.equal(document.experiment_id, id);
    assert.match(stderr, new RegExp(`npm run experiment -- --resume ${id}`));
    await allEnded(processes);
    const after = await second.ended;
    assert.equal(after.exitCode, 0, after.stderr);
    assert.equal(JSON.parse(after.stdout).experiment_id, other);
  });

  it("that was killed stays queued, and other commands only name it", async () => {
    const run = await resumed();
    const processes = descendants(run.child.pid ?? 0);
    run.signal("SIGKILL");
    await run.ended;
    await allEnded(processes); // workers end with the process that started them
    const other = await runCommand([...FLAGS, "--dry-run"], home);
    assert.equal(other.exitCode, 0);
    assert.match(
      other.stderr,
      new RegExp(`1 unfinished experiment stays queued .${id}.; .*--resume ${id}`),
    );
  });

  it("ends at once at a second signal, with its workers", async () => {
    const run = await resumed();
    const processes = descendants(run.child.pid ?? 0);
    run.signal("SIGTERM");
    await run.sees(/Stopping/);
    await sleep(600);
    run.signal("SIGTERM");
    assert.equal((await run.ended).exitCode, 130);
    await allEnded(processes);
  });

  it("ends in the same bytes as an uninterrupted one, and shows its result again", async () => {
    const run = await runCommand(["--resume", id, "--json"], home);
    assert.equal(distilledBytes(run), await uninterrupted);
    assert.match(run.stderr, /Distillation: kept outer step/);
    const again = await runCommand(["--resume", id, "--json"], home);
    assert.equal(again.exitCode, 0, again.stderr);
    assert.deepEqual(JSON.parse(again.stdout), JSON.parse(run.stdout), "its result again");
  });

  it("that does not exist is an error", async () => {
    const { exitCode, stdout } = await runCommand(["--resume", "nothing", "--json"], home);
    assert.equal(exitCode, 1);
    assert.equal(JSON.parse(stdout).error.kind, "not_found");
  });
});
