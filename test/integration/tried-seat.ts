import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { runDoctor } from "../../src/cli/service/doctor.js";
import type { Check } from "../../src/cli/service/doctor-checks.js";
import { terminalOf } from "../../src/cli/terminal/terminal.js";
import { startSeatTrial } from "../../src/main/seat-trial.js";
import { RecordedOutput } from "../fixtures/recorded-output.js";
import { temporaryFolder } from "../fixtures/temporary-folder.js";
import { PYTHON } from "../fixtures/tiny.js";

const PORTS = ["--grpc-port", "0", "--worker-port", "0"];

/** What `doctor` says of the engine, after what it says of this machine. */
export async function tried(test: TestContext, env: NodeJS.ProcessEnv, argv: readonly string[]) {
  const [stdout, stderr] = [new RecordedOutput(), new RecordedOutput()];
  const home = join(temporaryFolder(test), "home");
  const { signal: stop } = new AbortController();
  const exitCode = await runDoctor([...argv, ...PORTS, "--json"], {
    terminal: terminalOf(stdout, stderr, {}),
    nodeVersion: "20.11.0",
    openFiles: 20_000,
    home,
    runningAt: () => Promise.resolve(undefined),
    inspectPython: () => Promise.resolve({ checks: [] }),
    startSeatTrial: (request) => startSeatTrial(request, { home, pythonPath: PYTHON, env, stop }),
  });
  assert.deepEqual(readdirSync(home), [], "the home of the try is gone");
  const checks = (JSON.parse(stdout.text).checks as Check[]).slice(4);
  const byName = new Map(checks.map((check) => [check.name, check]));
  return { exitCode, byName, notes: stderr.text };
}
