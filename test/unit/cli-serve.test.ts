import assert from "node:assert/strict";
import { it } from "node:test";
import { runServe } from "../../src/cli/service/serve.js";
import { createInterruption } from "../../src/cli/terminal/interruption.js";
import { terminalOf } from "../../src/cli/terminal/terminal.js";
import { FailureKind, StillhouseError } from "../../src/errors.js";
import { RecordedOutput } from "../fixtures/recorded-output.js";

it("serve ends its workers and fails when its home is broken, so that it is restarted", async () => {
  const stderr = new RecordedOutput();
  const done: string[] = [];
  const broken = new StillhouseError(FailureKind.ENVIRONMENT, "the home is damaged");
  const exitCode = await runServe([], {
    terminal: terminalOf(new RecordedOutput(), stderr, {}),
    interruption: createInterruption(),
    home: "/home",
    userFolder: "/",
    dataDir: undefined,
    showsTraces: false,
    startServer: async () => ({
      address: "127.0.0.1:1",
      workerAddress: "tcp://127.0.0.1:2",
      httpAddress: "http://127.0.0.1:3",
      broken: Promise.resolve(broken),
      stop: async () => {
        done.push("stopped");
      },
      kill: () => done.push("killed"),
    }),
  });
  assert.equal(exitCode, 1);
  assert.deepEqual(done, ["stopped"]);
  assert.match(stderr.text, /Error the home is damaged/);
});

it("serve that is told to end while it starts ends in order", async () => {
  const interruption = createInterruption();
  const stderr = new RecordedOutput();
  const exitCode = await runServe([], {
    terminal: terminalOf(new RecordedOutput(), stderr, {}),
    interruption,
    home: "/home",
    userFolder: "/",
    dataDir: undefined,
    showsTraces: false,
    startServer: async () => {
      interruption.press();
      throw interruption.stop.reason;
    },
  });
  assert.deepEqual([exitCode, stderr.text], [0, ""]);
});
