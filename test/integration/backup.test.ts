import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, type TestContext } from "node:test";
import { runStillhouse } from "../../src/cli/stillhouse/stillhouse.js";
import { createInterruption } from "../../src/cli/terminal/interruption.js";
import { terminalOf } from "../../src/cli/terminal/terminal.js";
import { State } from "../../src/generated/stillhouse/v1/experiment.js";
import { backUpHome } from "../../src/store/backup.js";
import { quickSpec } from "../fixtures/experiments.js";
import { RecordedOutput } from "../fixtures/recorded-output.js";
import { noSmallDisk, SmallDisk } from "../fixtures/small-disk.js";
import { temporaryFolder } from "../fixtures/temporary-folder.js";
import { it } from "../fixtures/waiting.js";
import { TestPlane, workerCommand } from "./test-plane.js";

/** Runs `backup` on a home; a backup asks for no control plane. */
async function backup(test: TestContext, home: string, args: readonly string[]) {
  const [stdout, stderr] = [new RecordedOutput(), new RecordedOutput()];
  const exitCode = await runStillhouse(["backup", ...args], {
    terminal: terminalOf(stdout, stderr, {}),
    interruption: createInterruption(),
    openIdleHome: () => assert.fail("a backup needs no control plane"),
    backUpHome: (file, options) => backUpHome(home, file, options),
    userFolder: temporaryFolder(test),
    token: undefined,
    showsTraces: false,
  });
  return { exitCode, stdout: stdout.text, stderr: stderr.text };
}

function restored(test: TestContext, file: string): string {
  const home = join(temporaryFolder(test), "home");
  mkdirSync(home, { mode: 0o700 });
  execFileSync("tar", ["-xf", file, "-C", home]);
  return home;
}

async function textOf(chunks: AsyncIterable<Uint8Array>): Promise<string> {
  const parts: Uint8Array[] = [];
  for await (const chunk of chunks) parts.push(chunk);
  return Buffer.concat(parts).toString();
}

describe("a backup", () => {
  it("made while an experiment runs is a home with all that was stored", async (test) => {
    const options = { numWorkers: 1, pythonPath: workerCommand(test, 50) };
    const plane = await TestPlane.start(test, options);
    const { id: done } = await plane.client.create(quickSpec(1), "");
    assert.equal((await plane.ended(done)).state, State.SUCCEEDED);
    const { id: going } = await plane.client.create(quickSpec(2), "");
    await plane.seen(going, ({ kind }) => kind?.$case === "progress");
    writeFileSync(join(plane.home, "closed"), "yes");
    const folder = temporaryFolder(test);
    const file = join(folder, "home.tar");
    const made = await backup(test, plane.home, [file]);
    assert.deepEqual([made.exitCode, made.stderr], [0, ""]);
    assert.match(made.stdout, /home\.tar: 2 experiments, 1 artifact, \d+ kB/);
    assert.equal(statSync(file).mode & 0o777, 0o600);
    assert.deepEqual(readdirSync(folder), ["home.tar"], "nothing else is left");
    assert.equal((await plane.ended(going)).state, State.SUCCEEDED, "it goes on");

    const home = restored(test, file);
    assert.equal(readFileSync(join(home, "closed"), "utf8"), "yes");
    const again = await TestPlane.start(test, { home });
    const { experiments } = await again.client.list(10, "");
    assert.deepEqual(experiments.map(({ id }) => id).sort(), [done, going].sort());
    const text = await textOf(again.client.download(done, "m.json"));
    assert.equal(text, await textOf(plane.client.download(done, "m.json")));
  });

  it("replaces a file only with --force, and leaves it as it was where it fails", async (test) => {
    const plane = await TestPlane.start(test);
    const file = join(temporaryFolder(test), "home.tar");
    writeFileSync(file, "precious");
    const refused = await backup(test, plane.home, [file]);
    assert.equal(refused.exitCode, 1);
    assert.match(refused.stderr, /home\.tar exists already; .* --force/);
    const nowhere = await backup(test, temporaryFolder(test), [file, "--force"]);
    assert.match(nowhere.stderr, /there is no home at/);
    assert.equal(readFileSync(file, "utf8"), "precious");
    assert.equal((await backup(test, plane.home, [file, "--force"])).exitCode, 0);
    assert.ok(existsSync(join(restored(test, file), "stillhouse.db")));
  });

  it("on a full disk leaves nothing behind and names its file", {
    skip: noSmallDisk,
  }, async (test) => {
    const { home } = await TestPlane.start(test);
    const disk = new SmallDisk(test, 1);
    disk.fill();
    const file = join(disk.folder, "home.tar");
    const failed = await backup(test, home, [file]);
    assert.equal(failed.exitCode, 1);
    assert.match(failed.stderr, /home\.tar could not be written: the disk is full/);
    assert.deepEqual(readdirSync(disk.folder), ["filler"]);
  });

  it("covers this machine's home, and is refused for a server's", async (test) => {
    const asked = await backup(test, temporaryFolder(test), ["a.tar", "--server", "localhost:1"]);
    assert.equal(asked.exitCode, 2);
    assert.match(asked.stderr, /backup writes the home of this machine; run it there/);
    const missing = await backup(test, temporaryFolder(test), []);
    assert.equal(missing.exitCode, 2);
  });
});
