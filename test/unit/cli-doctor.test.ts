import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { runDoctor } from "../../src/cli/service/doctor.js";
import { terminalOf } from "../../src/cli/terminal/terminal.js";
import { FailureKind, StillhouseError } from "../../src/errors.js";
import { RecordedOutput } from "../fixtures/recorded-output.js";

const folder = mkdtempSync(join(tmpdir(), "stillhouse-doctor-test-"));
after(() => rmSync(folder, { recursive: true }));

const WELL = { name: "PyTorch", status: "ok", detail: "2.13", remedy: "" };
const OFFLINE = {
  name: "Hugging Face hub",
  status: "warning",
  detail: "cannot be reached",
  remedy: "go online",
};

async function doctor(argv: string[], changes: Partial<Parameters<typeof runDoctor>[1]> = {}) {
  const [stdout, stderr] = [new RecordedOutput(), new RecordedOutput()];
  const exitCode = await runDoctor(argv, {
    terminal: terminalOf(stdout, stderr, {}),
    nodeVersion: "20.11.0",
    openFiles: 20_000,
    home: join(folder, "home"),
    runningAt: () => Promise.resolve(undefined),
    inspectPython: () => Promise.resolve({ checks: [WELL, OFFLINE] }),
    startSeatTrial: () => Promise.reject(new Error("no engine is tried")),
    ...changes,
  });
  return { exitCode, stdout: stdout.text, stderr: stderr.text };
}

describe("doctor", () => {
  it("lists what was found, with a remedy below each problem, and exit code 0", async () => {
    const { exitCode, stdout } = await doctor([]);
    assert.equal(exitCode, 0);
    assert.match(stdout, /^✓ Node +20\.11\.0$/m);
    assert.match(stdout, /^✓ Home +.*home, [\d.]+ [MG]B free$/m);
    assert.match(stdout, /^✓ Control plane +none is running$/m);
    assert.match(stdout, /^! Hugging Face hub +cannot be reached\n +→ go online$/m);
    assert.ok(!stdout.includes("\u001b"));
  });

  it("says how many workers the limit of open files admits, and warns where that is few", async () => {
    const enough = await doctor([]);
    assert.match(enough.stdout, /^✓ Open files +20,000, enough for 5,248 workers of serve$/m);
    const few = await doctor([], { openFiles: 512 });
    assert.equal(few.exitCode, 0);
    assert.match(few.stdout, /^! Open files +512, enough for 28 workers of serve\n +→ raise the/m);
  });

  it("ends with exit code 1 when an experiment could not run", async () => {
    const { exitCode, stdout } = await doctor([], { nodeVersion: "18.0.0" });
    assert.equal(exitCode, 1);
    assert.match(stdout, /^✗ Node +18\.0\.0\n +→ install Node 20 or newer/m);
  });

  it("shows a Python that cannot be asked as a problem with its remedy", async () => {
    const unusable = new StillhouseError(FailureKind.ENVIRONMENT, "Python cannot be asked");
    const { exitCode, stdout } = await doctor(["--json"], {
      inspectPython: () => Promise.reject(unusable),
    });
    assert.equal(exitCode, 1);
    const { ok, checks } = JSON.parse(stdout);
    assert.equal(ok, false);
    assert.deepEqual(checks.at(-1), {
      name: "Python environment",
      status: "error",
      detail: "Python cannot be asked",
      remedy: "npm run setup",
    });
  });

  it("reports a home that cannot be created", async () => {
    writeFileSync(join(folder, "file"), "");
    const { exitCode, stdout } = await doctor([], { home: join(folder, "file", "home") });
    assert.equal(exitCode, 1);
    assert.match(stdout, /✗ Home +.*cannot be written \(ENOTDIR\)\n +→ set STILLHOUSE_HOME/);
  });

  it("names the control plane that runs, and one that holds the home without answering", async () => {
    const running = await doctor([], { runningAt: () => Promise.resolve("127.0.0.1:7") });
    assert.match(running.stdout, /✓ Control plane +running at 127\.0\.0\.1:7/);
    const silent = await doctor([], { runningAt: () => Promise.reject(new Error("it is silent")) });
    assert.match(
      silent.stdout,
      /✗ Control plane +it is silent\n(?! +→)/,
      "the sentence has it all",
    );
    assert.equal(silent.exitCode, 1);
  });

  it("refuses an unknown flag with exit code 2, also as JSON", async () => {
    const { exitCode, stdout, stderr } = await doctor(["--json", "--verbos"]);
    assert.equal(exitCode, 2);
    assert.equal(JSON.parse(stdout).error.kind, "invalid");
    assert.equal(stderr, "Error unknown option '--verbos'\n");
  });
});
