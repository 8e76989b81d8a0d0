import assert from "node:assert/strict";
import { chmodSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, type TestContext } from "node:test";
import { SupervisedWorker } from "../../src/worker/supervised-worker.js";
import { sendSignal } from "../fixtures/signals.js";
import { afterwards, temporaryFolder } from "../fixtures/temporary-folder.js";
import { it, until } from "../fixtures/waiting.js";

/** A worker whose process is a script, which adds a line to a file at each start. */
function supervised(test: TestContext, script: string) {
  const folder = temporaryFolder(test);
  const starts = join(folder, "starts");
  const pythonPath = join(folder, "python");
  writeFileSync(pythonPath, `#!/bin/sh\necho "$$" >> "${starts}"\n${script}\n`);
  chmodSync(pythonPath, 0o755);
  const warnings: string[] = [];
  const keep = (message: string) => warnings.push(message);
  const log = { debug: () => {}, info: () => {}, warn: keep, error: keep };
  const options = { pythonPath, env: process.env, flags: [], log, firstPauseMs: 10 };
  const worker = new SupervisedWorker(options);
  afterwards(test, () => worker.kill());
  const pids = () =>
    existsSync(starts)
      ? [...readFileSync(starts, "utf8").matchAll(/(\d+)\n/g)].map(([, pid]) => Number(pid))
      : [];
  return { worker, pids, warnings };
}

describe("a worker that is kept alive", () => {
  it("is started again when it was killed, and told to end with the command", async (test) => {
    const { worker, pids, warnings } = supervised(
      test,
      "trap 'exit 0' TERM; while :; do sleep 0.01; done",
    );
    await until(() => pids().length === 1);
    sendSignal(pids()[0], "SIGKILL");
    await until(() => pids().length === 2);
    assert.match(warnings[0] ?? "", /killed by SIGKILL; it is started again/);
    await worker.stop(5_000);
    assert.equal(await worker.ended, 0);
    assert.equal(pids().length, 2);
  });

  it("is not restarted when it ended normally, or when no restart can help", async (test) => {
    const drained = supervised(test, "exit 0");
    assert.equal(await drained.worker.ended, 0);
    const refused = supervised(test, "exit 2");
    assert.equal(await refused.worker.ended, 2);
    assert.deepEqual([drained.pids().length, refused.pids().length], [1, 1]);
  });
});
