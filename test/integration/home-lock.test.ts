import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, writeFileSync } from "node:fs";
import { describe, type TestContext } from "node:test";
import { openHome } from "../../src/control-plane.js";
import { homePaths, makeHome } from "../../src/store/home.js";
import { HomeLock, readServerRecord } from "../../src/store/home-lock.js";
import { afterwards, temporaryFolder } from "../fixtures/temporary-folder.js";
import { it } from "../fixtures/waiting.js";

const HOLDER = `
  import { makeHome } from "./src/store/home.js";
  import { HomeLock } from "./src/store/home-lock.js";
  const lock = HomeLock.take(makeHome(process.argv[1]));
  lock?.announce("127.0.0.1:1");
  console.log(lock ? "held" : "refused");
  setInterval(() => {}, 1000);`;

/** Another process that holds the lock of a home. */
async function holder(test: TestContext, home: string): Promise<ChildProcess> {
  const args = ["--import", "tsx", "--input-type=module", "-e", HOLDER, home];
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
  afterwards(test, () => child.kill("SIGKILL"));
  const [line] = await once(child.stdout, "data");
  assert.equal(String(line).trim(), "held");
  return child;
}

describe("the lock of a home", () => {
  it("has one holder, and the kernel releases it when the holder is killed", async (test) => {
    const home = temporaryFolder(test);
    const paths = makeHome(home);
    const child = await holder(test, home);
    assert.equal(HomeLock.take(paths), undefined);
    assert.equal(readServerRecord(paths)?.pid, child.pid);
    child.kill("SIGKILL");
    await once(child, "exit");
    assert.ok(existsSync(paths.server), "a killed owner leaves its address behind");
    const lock = HomeLock.take(paths);
    assert.ok(lock);
    assert.equal(readServerRecord(paths), undefined, "and the next one removes it");
    lock.release();
  });

  it("can be taken again in the process that released it", (test) => {
    const paths = makeHome(temporaryFolder(test));
    for (let times = 0; times < 3; times++) {
      const lock = HomeLock.take(paths);
      assert.ok(lock);
      assert.equal(HomeLock.take(paths), undefined);
      lock.release();
    }
  });

  it("ignores an invalid record", (test) => {
    const paths = makeHome(temporaryFolder(test));
    for (const text of ["", "{", "[]", '{"address": 5, "pid": 1}', '{"address": "", "pid": 1}']) {
      writeFileSync(paths.server, text);
      assert.equal(readServerRecord(paths), undefined);
    }
  });

  it("is waited for while its holder does not answer, and then taken", async (test) => {
    const home = temporaryFolder(test);
    const child = await holder(test, home);
    const opening = openHome(home, console.error);
    setTimeout(() => child.kill("SIGKILL"), 500);
    const opened = await opening;
    assert.ok(opened.kind === "owner");
    assert.equal(existsSync(homePaths(home).server), false);
    opened.lock.release();
  });
});
