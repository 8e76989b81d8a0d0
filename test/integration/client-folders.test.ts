import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { cpSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, type TestContext } from "node:test";
import { Connection } from "../../src/cli/connect/connection.js";
import type { ProgressDisplay } from "../../src/cli/progress/progress-display.js";
import { readLocalFolder } from "../../src/cli/run/local-folder.js";
import { sentDraft } from "../../src/cli/run/sent-draft.js";
import { FailureKind, StillhouseError } from "../../src/errors.js";
import { State } from "../../src/generated/stillhouse/v1/experiment.js";
import { ExperimentSpec } from "../../src/generated/stillhouse/v1/spec.js";
import { readPartyKeys } from "../../src/security/keys/read-keys.js";
import { homePaths } from "../../src/store/home.js";
import { PythonWorker } from "../fixtures/python-worker.js";
import { temporaryFolder } from "../fixtures/temporary-folder.js";
import { PYTHON, tinyDataAndModel, tinyDraft } from "../fixtures/tiny.js";
import { it, until } from "../fixtures/waiting.js";
import { TestPlane } from "./test-plane.js";

/** Word vectors of some words of the data set, of width 4. */
const VECTORS = ["red 1 0 0 0", "blue 0 1 0 0", "green 0 0 1 0", "the 0 0 0 1"].join("\n");
const TENSORS = "distilled.safetensors";

function refusedAs(kind: FailureKind, message: RegExp) {
  return (error: unknown) => {
    assert.ok(error instanceof StillhouseError, String(error));
    assert.equal(error.kind, kind, error.message);
    assert.match(error.message, message);
    return true;
  };
}

/** A data set and a model on the machine of a client, and how it sends them. */
function client(test: TestContext, plane: TestPlane) {
  const folder = temporaryFolder(test);
  const tiny = tinyDataAndModel();
  cpSync(tiny.dataDir, join(folder, "data"), { recursive: true });
  cpSync(tiny.model, join(folder, "model"), { recursive: true });
  const draft = (changes: Readonly<Record<string, string | number>> = {}) =>
    tinyDraft({
      "data-dir": join(folder, "data"),
      model: join(folder, "model"),
      "outer-steps": 6,
      inits: 1,
      baselines: "none",
      ...changes,
    });
  const { address, clientKeys } = plane.plane;
  const endpoint = { address, ...readPartyKeys(clientKeys) };
  const connection = Connection.toServer(endpoint);
  test.after(() => connection.close());
  const notes: string[] = [];
  const progress = { note: (text: string) => notes.push(text), work: () => undefined };
  const send = (of: ExperimentSpec, isDryRun = false) =>
    sentDraft(
      of,
      { connection, progress: progress as unknown as ProgressDisplay },
      { endpoint, flags: "", sends: true },
      isDryRun,
    );
  return { folder, draft, notes, send };
}

async function sentSpec({ send }: ReturnType<typeof client>, draft: ExperimentSpec) {
  const sent = await send(draft);
  assert.equal(sent.kind, "draft");
  return sent.kind === "draft" ? sent.draft : draft;
}

function sha256Of(path: string): string {
  return createHash("sha256").update(readFileSync(path)).digest("hex");
}

describe("a client's own data set and model", () => {
  it("give the same results on a worker that sees no folder, which fetches them once", async (test) => {
    const plane = await TestPlane.start(test, { pythonPath: PYTHON });
    const own = client(test, plane);
    const local = await plane.client.resolve(own.draft());
    const localSpec = ExperimentSpec.toJSON(local.spec as ExperimentSpec);
    const run = temporaryFolder(test);
    writeFileSync(join(run, "spec.json"), JSON.stringify(localSpec));
    const args = ["-m", "stillhouse_worker", "run", join(run, "spec.json"), "--work-dir", run];
    execFileSync(PYTHON, args, { stdio: "pipe", env: { ...process.env, OMP_NUM_THREADS: "1" } });

    const draft = await sentSpec(own, own.draft());
    const again = await sentSpec(own, own.draft({ seed: 1 }));
    assert.equal(own.notes.length, 2, "a data set and a model were sent, each once");
    rmSync(own.folder, { recursive: true });
    const { spec, tasks } = await plane.client.resolve(draft);
    assert.deepEqual(
      tasks.map(({ cacheKey }) => cacheKey),
      local.tasks.map(({ cacheKey }) => cacheKey),
    );
    const worker = new PythonWorker(test, "elsewhere", plane.plane.workerAddress);
    const { id } = await plane.client.create(spec as ExperimentSpec, "");
    const experiment = await plane.ended(id);
    assert.equal(experiment.state, State.SUCCEEDED, experiment.failure?.message);
    const { artifacts, folders } = homePaths(plane.home);
    assert.equal(sha256Of(join(artifacts, id, TENSORS)), sha256Of(join(run, "artifact", TENSORS)));

    const cache = join(worker.folder, "folders");
    const kept = () => readdirSync(cache).filter((name) => /^[\da-f]{64}$/.test(name));
    const ids = readdirSync(folders).filter((name) => /^[\da-f]{64}$/.test(name));
    assert.deepEqual(kept().sort(), ids.sort());
    const birth = kept().map((name) => statSync(join(cache, name)).ino);
    const other = await plane.client.resolve(again);
    const second = await plane.client.create(other.spec as ExperimentSpec, "");
    assert.equal((await plane.ended(second.id)).state, State.SUCCEEDED);
    assert.deepEqual(
      kept().map((name) => statSync(join(cache, name)).ino),
      birth,
      "nothing was fetched again",
    );
  });

  it("may have word vectors and a source set beside them", async (test) => {
    const plane = await TestPlane.start(test, { pythonPath: PYTHON });
    const own = client(test, plane);
    const [data, vectors] = [join(own.folder, "data"), join(own.folder, "vectors.txt")];
    cpSync(join(data, "colours"), join(data, "shades"), { recursive: true });
    const shades = join(data, "shades", "train.jsonl");
    writeFileSync(shades, readFileSync(shades, "utf8").split("\n").slice(0, -2).join("\n"));
    writeFileSync(vectors, VECTORS);
    const words = { model: "textcnn", embeddings: vectors };
    const source = { objective: "adapt", source: "shades", pool: 1, "pool-epochs": 1 };
    const draft = own.draft({ ...words, ...source });
    const sent = await sentSpec(own, draft);
    assert.equal(own.notes.length, 3, own.notes.join("\n"));
    rmSync(own.folder, { recursive: true });
    new PythonWorker(test, "elsewhere", plane.plane.workerAddress);
    const { spec } = await plane.client.resolve(sent);
    const { id } = await plane.client.create(spec as ExperimentSpec, "");
    const experiment = await plane.ended(id);
    assert.equal(experiment.state, State.SUCCEEDED, experiment.failure?.message);
    const folders = homePaths(plane.home).folders;
    const paths = [spec?.dataset?.dataDir, spec?.objective?.sourceDir, spec?.model?.embeddings];
    for (const path of paths) assert.ok(`${path}`.startsWith(folders), `${path}`);
  });

  it("are only counted in a dry run", async (test) => {
    const plane = await TestPlane.start(test);
    const own = client(test, plane);
    const dry = await own.send(own.draft(), true);
    assert.equal(dry.kind, "missing");
    assert.deepEqual(dry.kind === "missing" ? dry.folders.map(({ path }) => path) : [], [
      join(own.folder, "data", "colours"),
      join(own.folder, "model"),
    ]);
    assert.deepEqual(readdirSync(homePaths(plane.home).folders), []);
    await own.send(own.draft());
    assert.equal((await own.send(own.draft(), true)).kind, "draft", "then the server has them");
  });

  it("are refused where they are damaged, and then nothing of them is kept", async (test) => {
    const plane = await TestPlane.start(test);
    const own = client(test, plane);
    const { files } = await readLocalFolder(join(own.folder, "data", "colours"), "data");
    const facts = files.map((file) => file.facts);
    const [first] = facts;
    assert.ok(first);
    const header = [{ ...first, name: first.sha256 }];
    const bytes = async function* () {
      yield Buffer.alloc(Number(first.size), 7);
    };
    await assert.rejects(
      plane.client.uploadFolderFiles(header, bytes()),
      refusedAs(FailureKind.INVALID, /has the SHA-256/),
    );
    await assert.rejects(
      plane.client.uploadFolderFiles([...header, ...header], bytes()),
      refusedAs(FailureKind.INVALID, /each hash once/),
    );
    const { missing, path } = await plane.client.prepareFolder(facts, false);
    assert.ok(missing.includes(first.sha256));
    assert.equal(path, "");
  });

  it("leave nothing behind where the client ends in the middle", async (test) => {
    const plane = await TestPlane.start(test);
    const own = client(test, plane);
    const { files } = await readLocalFolder(join(own.folder, "model"), "model");
    const [first] = files.map((file) => file.facts).sort((a, b) => Number(b.size - a.size));
    assert.ok(first);
    const { folders } = homePaths(plane.home);
    const uploads = () => readdirSync(folders).filter((name) => name.startsWith(".upload-"));
    const bytes = async function* () {
      yield Buffer.alloc(100);
      await until(() => uploads().length === 1);
      throw new Error("interrupted");
    };
    const header = [{ ...first, name: first.sha256 }];
    await assert.rejects(plane.client.uploadFolderFiles(header, bytes()), /interrupted/);
    await until(() => uploads().length === 0);
    assert.deepEqual(readdirSync(join(folders, "blobs")), []);
  });

  it("are refused where they are too large or leave their folder", async (test) => {
    const plane = await TestPlane.start(test);
    const sha256 = "a".repeat(64);
    const ask = (name: string, size = 1n) =>
      plane.client.prepareFolder([{ name, size, sha256 }], false);
    await assert.rejects(
      ask("set/train.csv", 33n << 30n),
      refusedAs(FailureKind.INVALID, /at most 32 GiB/),
    );
    for (const name of ["set/../../evil", "/etc/passwd", "set//a", "", "set\\a", "./a"]) {
      await assert.rejects(ask(name), refusedAs(FailureKind.INVALID, /relative path/), name);
    }
  });
});
