import assert from "node:assert/strict";
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe } from "node:test";
import { StillhouseClient } from "../../src/api/client.js";
import { runExperiment } from "../../src/cli/experiment/experiment.js";
import { createInterruption } from "../../src/cli/terminal/interruption.js";
import { terminalOf } from "../../src/cli/terminal/terminal.js";
import { type ControlPlane, openHome, startControlPlane } from "../../src/control-plane.js";
import { RecordedOutput } from "../fixtures/recorded-output.js";
import { PYTHON, tinyDataAndModel, tinyFlags } from "../fixtures/tiny.js";
import { it } from "../fixtures/waiting.js";

const tiny = tinyDataAndModel();
const FLAGS = tinyFlags(tiny);
const folder = mkdtempSync(join(tmpdir(), "stillhouse-bad-"));
const SILENT = { debug() {}, info() {}, warn() {}, error() {} };

async function controlPlaneWith(pythonPath: string, name: string): Promise<ControlPlane> {
  const home = join(folder, name);
  const opened = await openHome(home, console.error);
  assert.equal(opened.kind, "owner");
  return startControlPlane({
    home,
    lock: opened.lock,
    pythonPath,
    env: { ...process.env, OMP_NUM_THREADS: "1", HF_HUB_OFFLINE: "1" },
    numWorkers: 1,
    log: SILENT,
  });
}

/** Runs the command in this process, against a running control plane. */
async function command(argv: string[], controlPlane: ControlPlane) {
  const [stdout, stderr] = [new RecordedOutput(), new RecordedOutput()];
  const exitCode = await runExperiment([...argv, "--json"], {
    terminal: terminalOf(stdout, stderr, {}),
    interruption: createInterruption(),
    openHome: () => Promise.resolve({ kind: "joined", address: controlPlane.address }),
    openIdleHome: () => Promise.resolve({ kind: "joined", address: controlPlane.address }),
    userFolder: folder,
    dataDir: undefined,
    token: undefined,
    showsTraces: false,
  });
  return { exitCode, document: JSON.parse(stdout.text), stderr: stderr.text };
}

async function numStored({ address }: ControlPlane): Promise<number> {
  const client = new StillhouseClient(address);
  const { experiments } = await client.list(10, "");
  client.close();
  return experiments.length;
}

/** A copy of the tiny data set with one thing wrong. */
function damagedDataset(name: string, damage: (path: string) => void): string[] {
  const path = join(folder, "data", name);
  cpSync(join(tiny.dataDir, "colours"), path, { recursive: true });
  damage(path);
  return [...FLAGS, "--data-dir", join(folder, "data"), "--dataset", name];
}

function withRow(row: object): (path: string) => void {
  return (path) => writeFileSync(join(path, "train.jsonl"), `${JSON.stringify(row)}\n`);
}

describe("the command refuses in one sentence", () => {
  let controlPlane: ControlPlane;
  before(async () => {
    controlPlane = await controlPlaneWith(PYTHON, "home");
  });
  after(async () => {
    await controlPlane.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  /** The message says what is wrong, the exit code fits, and no stack or traceback is shown. */
  async function refused(argv: string[], message: RegExp, field: string, kind = "invalid") {
    const { exitCode, document, stderr } = await command(argv, controlPlane);
    assert.match(document.error.message, message);
    assert.equal(document.error.kind, kind);
    assert.equal(document.error.field, field);
    assert.equal(exitCode, kind === "invalid" ? 2 : 1);
    assert.doesNotMatch(stderr, /Traceback|\.py"|^ {4}at /m);
    assert.equal(await numStored(controlPlane), 0);
  }

  it("a data set without a column", () =>
    refused(
      damagedDataset("columnless", withRow({ body: "red", label: "warm" })),
      /columnless.*train.*text/,
      "dataset.name",
    ));

  it("a label that is not a class", () =>
    refused(
      damagedDataset("lukewarm", withRow({ text: "red", label: "lukewarm" })),
      /lukewarm.*warm.*cold/,
      "dataset.name",
    ));

  it("an empty text", () =>
    refused(
      damagedDataset("empty", withRow({ text: "  ", label: "warm" })),
      /empty/,
      "dataset.name",
    ));

  it("a data set that does not exist", () =>
    refused([...FLAGS, "--dataset", "no_such_set"], /no_such_set/, "dataset.name", "not_found"));

  it("a model folder that is not one", () => {
    const path = join(folder, "no-model");
    mkdirSync(path);
    return refused([...FLAGS, "--model", path], /no-model/, "model.name");
  });

  it("a length beyond the model's positions", () =>
    refused([...FLAGS, "--seq-len", "33"], /at most 32, .* got 33/, "distilled.seq_len"));

  it("a device that does not exist", () =>
    refused([...FLAGS, "--device", "cuda:7"], /cuda:7/, "compute.device"));
});

describe("a Python environment that is missing", () => {
  it("is one sentence with the remedy", async () => {
    const home = join(mkdtempSync(join(tmpdir(), "stillhouse-no-python-")));
    const controlPlane = await controlPlaneWith(join(home, "bin", "python"), home);
    const { exitCode, document } = await command(FLAGS, controlPlane);
    await controlPlane.stop();
    assert.equal(exitCode, 1);
    assert.equal(document.error.kind, "environment");
    assert.match(document.error.message, /Python .*run the command again/);
    rmSync(home, { recursive: true });
  });
});
