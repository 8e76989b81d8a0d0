import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { runServe } from "../../src/cli/service/serve.js";
import { createInterruption } from "../../src/cli/terminal/interruption.js";
import { terminalOf } from "../../src/cli/terminal/terminal.js";
import { FailureKind, StillhouseError } from "../../src/errors.js";
import { RecordedOutput } from "../fixtures/recorded-output.js";

const PLACE = { home: "/home", userFolder: "/", dataDir: undefined, showsTraces: false };
const ADDRESSES = {
  address: "127.0.0.1:1",
  workerAddress: "tcp://127.0.0.1:2",
  httpAddress: "http://127.0.0.1:3",
  capacity: { openFiles: 1_024, workers: 85 },
};

describe("the places for workers", () => {
  async function served(...argv: string[]) {
    const [stdout, stderr] = [new RecordedOutput(), new RecordedOutput()];
    const interruption = createInterruption();
    await runServe(argv, {
      terminal: terminalOf(stdout, stderr, {}),
      interruption,
      ...PLACE,
      startServer: async () => ({
        ...ADDRESSES,
        broken: new Promise(() => interruption.press()),
        stop: async () => undefined,
        kill: () => undefined,
      }),
    });
    return { stdout: stdout.text, stderr: stderr.text };
  }

  it("are said when it serves, for people and in JSON", async () => {
    const { stdout, stderr } = await served();
    assert.match(stdout, /workers {2}tcp:\/\/127\.0\.0\.1:2, at most 85 with 1,024 open files\n/);
    assert.ok(!stderr.includes("open files"));
    const { openFiles, mostWorkers } = JSON.parse((await served("--json")).stdout);
    assert.deepEqual([openFiles, mostWorkers], [1_024, 85]);
  });

  it("are warned of where as many workers may be started", async () => {
    const { stderr } = await served("--launcher", "slurm", "--max-workers", "77");
    assert.match(stderr, /^Up to 77 workers may be started, and 85 can be connected with 1,024/m);
    const fewer = await served("--launcher", "slurm", "--max-workers", "76");
    assert.ok(!fewer.stderr.includes("may be started"));
  });
});

it("serve ends its workers and fails when its home is broken, so that it is restarted", async () => {
  const stderr = new RecordedOutput();
  const done: string[] = [];
  const broken = new StillhouseError(FailureKind.ENVIRONMENT, "the home is damaged");
  const exitCode = await runServe([], {
    terminal: terminalOf(new RecordedOutput(), stderr, {}),
    interruption: createInterruption(),
    ...PLACE,
    startServer: async () => ({
      ...ADDRESSES,
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
    ...PLACE,
    startServer: async () => {
      interruption.press();
      throw interruption.stop.reason;
    },
  });
  assert.deepEqual([exitCode, stderr.text], [0, ""]);
});
