import assert from "node:assert/strict";
import { mkdirSync, readdirSync, symlinkSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { readLocalFolder } from "../../src/cli/run/local-folder.js";
import { DatasetSpec, ExperimentSpec, ModelSpec } from "../../src/generated/stillhouse/v1/spec.js";
import { checkPlaces } from "../../src/security/allowed-folders.js";
import { checkFolderFiles, clientFoldersOf, folderIdOf } from "../../src/settings/client-folder.js";
import { ClientFolders } from "../../src/store/client-folders.js";
import { Trash } from "../../src/store/trash.js";
import { temporaryFolder } from "../fixtures/temporary-folder.js";

const SHA256 = "a".repeat(64);
const DAY_MS = 24 * 3_600_000;

describe("the files of a client's folder", () => {
  it("have an id that follows from names, sizes and hashes", () => {
    const files = [{ name: "set/träin.csv", size: 3n, sha256: SHA256 }];
    // The same as in python_worker/tests/test_client_folders.py.
    assert.equal(
      folderIdOf(files),
      "22311fda73e9f9409058274f4cbb53070e46080be1ea35748a58b44c5ec9503d",
    );
    const renamed = files.map((file) => ({ ...file, name: "set/test.csv" }));
    assert.notEqual(folderIdOf(renamed), folderIdOf(files));
  });

  it("come in order, below one folder, and no file is a folder too", () => {
    const check = (...names: string[]) =>
      checkFolderFiles(names.map((name) => ({ name, size: 1n, sha256: SHA256 })));
    check("set/a", "set/a.b/c", "set/b");
    assert.throws(() => check("set/b", "set/a"), /order of their names/);
    assert.throws(() => check("set/a", "set/a"), /each once/);
    assert.throws(() => check("a/b", "c/d"), /below "a"/);
    assert.throws(() => check("set/a", "set/a/b"), /both a file and a folder/);
    assert.throws(() => check(), /1 to 20000 files/);
  });

  it("are found in a spec, whatever the home", () => {
    const spec = ExperimentSpec.fromPartial({
      dataset: DatasetSpec.fromPartial({ dataDir: `/srv/home/folders/${SHA256}/content` }),
      model: ModelSpec.fromPartial({ name: `/h/folders/${"b".repeat(64)}/content/model` }),
    });
    assert.deepEqual(clientFoldersOf(spec), [SHA256, "b".repeat(64)]);
  });
});

describe("what a client reads of a folder", () => {
  it("leaves out hidden files, and takes a link to a file inside for the file", async (test) => {
    const folder = join(temporaryFolder(test), "set");
    mkdirSync(join(folder, ".git"), { recursive: true });
    writeFileSync(join(folder, ".git", "config"), "");
    writeFileSync(join(folder, "rows.csv"), "text,label\n");
    symlinkSync("rows.csv", join(folder, "train.csv"));
    const { files } = await readLocalFolder(folder, "data");
    assert.deepEqual(
      files.map(({ facts }) => facts.name),
      ["set/rows.csv", "set/train.csv"],
    );
    assert.equal(files[0]?.facts.sha256, files[1]?.facts.sha256);
    symlinkSync("/etc/hostname", join(folder, "z.csv"));
    await assert.rejects(readLocalFolder(folder, "data"), /is a link that does not lead/);
  });

  it("takes of a model the weights that are used alone", async (test) => {
    const folder = join(temporaryFolder(test), "model");
    mkdirSync(join(folder, "1_Pooling"), { recursive: true });
    const names = ["config.json", "model.safetensors", "pytorch_model.bin", "optimizer.pt"];
    for (const name of [...names, "vocab.txt", "1_Pooling/config.json"]) {
      writeFileSync(join(folder, name), name);
    }
    const { files } = await readLocalFolder(folder, "model");
    assert.deepEqual(
      files.map(({ facts }) => facts.name.slice("model/".length)),
      ["1_Pooling/config.json", "config.json", "model.safetensors", "vocab.txt"],
    );
  });
});

describe("the folders that clients have sent", () => {
  it("stay while an experiment uses them, and a day otherwise", async (test) => {
    const root = temporaryFolder(test);
    const trash = new Trash(join(root, "trash"));
    const store = new ClientFolders(root, trash);
    const source = join(temporaryFolder(test), "set");
    mkdirSync(source);
    writeFileSync(join(source, "train.csv"), "text,label\na,b\n");
    const { files } = await readLocalFolder(source, "data");
    const facts = files.map((file) => file.facts);
    const upload = await store.begin(facts);
    await upload.write(Buffer.from("text,label\na,b\n"));
    await upload.finish();
    assert.deepEqual(await store.missing(facts, true), []);
    const path = await store.make(facts);
    const id = folderIdOf(facts);
    assert.equal(path, join(root, id, "content", "set"));

    store.use([id], "e1");
    store.sweep(() => false);
    assert.ok(store.has(id), "a young one stays");
    const later = Date.now() + 2 * DAY_MS;
    store.sweep((experiment) => experiment === "e1", later);
    assert.ok(store.has(id));
    store.sweep(() => false, later);
    assert.ok(!store.has(id));
    await trash.settled();
    utimesSync(join(root, "blobs", facts[0]?.sha256 ?? ""), 0, 0);
    store.sweep(() => false);
    assert.deepEqual(readdirSync(join(root, "blobs")), []);
  });

  it("may be named by a token that knows the id, and not their folder itself", (test) => {
    const root = temporaryFolder(test);
    const content = join(root, SHA256, "content");
    mkdirSync(join(content, "set"), { recursive: true });
    const check = (dataDir: string) =>
      checkPlaces(
        { dataset: DatasetSpec.fromPartial({ name: "set", dataDir }) },
        { data: [], models: [], sent: root },
      );
    check(content);
    assert.throws(() => check(root), /names the folder/);
    assert.throws(() => check(join(content, "..", "..")), /names the folder/);
  });
});
