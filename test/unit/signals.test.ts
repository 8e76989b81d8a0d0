import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { describe, it } from "node:test";
import { sendSignal } from "../fixtures/signals.js";

describe("a signal of a test", () => {
  for (const pid of [undefined, Number.NaN, 0, 1, -1, 1.5]) {
    it(`is not sent to ${pid}`, () => {
      assert.throws(() => sendSignal(pid, "SIGCONT"), /no process|not a process of the test/);
    });
  }

  it("reaches the process that it names", async () => {
    const child = spawn("sleep", ["60"]);
    const ended = once(child, "exit");
    sendSignal(child.pid, "SIGKILL");
    assert.deepEqual(await ended, [null, "SIGKILL"]);
  });
});
