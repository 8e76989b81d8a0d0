import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { FailureKind, StillhouseError } from "../../src/errors.js";
import type { ArtifactFile } from "../../src/generated/stillhouse/v1/experiment.js";
import { ArtifactFolder } from "../../src/store/artifact-folder.js";
import { makeHome, pruneLogs } from "../../src/store/home.js";
import { Trash } from "../../src/store/trash.js";
import { LocalWorkFolders } from "../../src/store/work-folders.js";
import { temporaryFolder } from "../fixtures/temporary-folder.js";

function trashOf(test: TestContext): Trash {
  return new Trash(temporaryFolder(test));
}

function fileOf(name: string, content: Uint8Array): ArtifactFile {
  const sha256 = createHash("sha256").update(content).digest("hex");
  return { name, size: BigInt(content.length), sha256 };
}

async function put(artifacts: ArtifactFolder, id: string, contents: Record<string, string>) {
  const entries = Object.entries(contents).map(
    ([name, text]) => [name, Buffer.from(text)] as const,
  );
  const upload = await artifacts.begin(entries.map(([name, bytes]) => fileOf(name, bytes)));
  for (const [, bytes] of entries) {
    for (let start = 0; start < bytes.length; start += 3) {
      await upload.write(bytes.subarray(start, start + 3));
    }
  }
  return upload.finish(id, id);
}

function isInvalid(message: RegExp) {
  return (error: unknown) => {
    assert.ok(error instanceof StillhouseError, String(error));
    assert.equal(error.kind, FailureKind.INVALID);
    assert.match(error.message, message);
    return true;
  };
}

describe("the artifact folder", () => {
  it("holds exactly the uploaded files, empty ones too", async (test) => {
    const root = temporaryFolder(test);
    const artifacts = new ArtifactFolder(root, trashOf(test));
    const contents = { "a.bin": "some bytes", "empty.txt": "", "manifest.json": "{}" };
    const artifact = await put(artifacts, "ex1", contents);
    assert.equal(artifact.id, "ex1");
    assert.deepEqual(readdirSync(root), ["ex1"]);
    for (const [name, text] of Object.entries(contents)) {
      assert.equal(readFileSync(join(root, "ex1", name), "utf8"), text);
    }
  });

  it("shows nothing before the last hash is checked", async (test) => {
    const artifacts = new ArtifactFolder(temporaryFolder(test), trashOf(test));
    const upload = await artifacts.begin([fileOf("a", Buffer.from("abc"))]);
    await upload.write(Buffer.from("abd"));
    assert.equal(artifacts.exists("ex1"), false);
    await assert.rejects(upload.finish("ex1", "ex1"), isInvalid(/a has the SHA-256/));
    await upload.abort();
    assert.equal(artifacts.exists("ex1"), false);
  });

  it("refuses too few bytes, too many, and a chunk over the end of a file", async (test) => {
    const root = temporaryFolder(test);
    const artifacts = new ArtifactFolder(root, trashOf(test));
    const files = [fileOf("a", Buffer.from("abc")), fileOf("b", Buffer.from("de"))];
    const short = await artifacts.begin(files);
    await short.write(Buffer.from("ab"));
    await assert.rejects(short.finish("ex1", "ex1"), isInvalid(/a ended after 2 of its 3 bytes/));
    const over = await artifacts.begin(files);
    await assert.rejects(
      over.write(Buffer.from("abcd")),
      isInvalid(/a is longer than its 3 bytes/),
    );
    const long = await artifacts.begin(files);
    for (const chunk of ["abc", "de"]) await long.write(Buffer.from(chunk));
    await assert.rejects(long.write(Buffer.from("f")), isInvalid(/more bytes came/));
    for (const upload of [short, over, long]) await upload.abort();
    assert.deepEqual(readdirSync(root), []);
  });

  it("takes plain file names only", async (test) => {
    const root = temporaryFolder(test);
    const artifacts = new ArtifactFolder(root, trashOf(test));
    const names = ["../x", "a/b", "", ".", "..", ".hidden", "a\\b", "a\0b", "x".repeat(200), "ä"];
    for (const name of names) {
      await assert.rejects(artifacts.begin([fileOf(name, Buffer.of(1))]), isInvalid(/plain name/));
      assert.throws(() => artifacts.read("ex1", name), isInvalid(/plain name/));
      assert.throws(() => artifacts.exists(name), isInvalid(/plain name/));
    }
    const twice = [fileOf("a", Buffer.of(1)), fileOf("a", Buffer.of(2))];
    await assert.rejects(artifacts.begin(twice), isInvalid(/has the file a twice/));
    await assert.rejects(artifacts.begin([]), isInvalid(/1 to 64 files, got 0/));
    assert.deepEqual(readdirSync(root), []);
  });

  it("replaces an earlier artifact completely", async (test) => {
    const root = temporaryFolder(test);
    const artifacts = new ArtifactFolder(root, trashOf(test));
    await put(artifacts, "ex1", { old: "old", both: "old" });
    await put(artifacts, "ex1", { new: "new", both: "new" });
    assert.deepEqual(readdirSync(join(root, "ex1")).sort(), ["both", "new"]);
    assert.equal(readFileSync(join(root, "ex1", "both"), "utf8"), "new");
    assert.deepEqual(readdirSync(root), ["ex1"]);
  });

  it("reads a file back in chunks, and names a missing one", async (test) => {
    const artifacts = new ArtifactFolder(temporaryFolder(test), trashOf(test));
    const text = "0123456789".repeat(100_000);
    await put(artifacts, "ex1", { "big.txt": text.slice(0, 1_000) });
    const chunks: Buffer[] = [];
    for await (const chunk of artifacts.read("ex1", "big.txt")) chunks.push(chunk);
    assert.equal(Buffer.concat(chunks).toString(), text.slice(0, 1_000));
    assert.throws(
      () => artifacts.read("ex1", "none"),
      (error) => error instanceof StillhouseError && error.kind === FailureKind.NOT_FOUND,
    );
  });

  it("removes interrupted uploads at start", async (test) => {
    const root = temporaryFolder(test);
    const artifacts = new ArtifactFolder(root, trashOf(test));
    await put(artifacts, "ex1", { a: "a" });
    const cut = await artifacts.begin([fileOf("a", Buffer.from("abc"))]);
    await cut.write(Buffer.from("a"));
    assert.equal(readdirSync(root).length, 2);
    artifacts.sweep();
    assert.deepEqual(readdirSync(root), ["ex1"]);
  });
});

describe("a path from outside", () => {
  const OUTSIDE = [
    "..",
    "../secret",
    "../../etc/passwd",
    "/etc/passwd",
    "a/../../secret",
    "a/b",
    "a\\b",
    ".hidden",
    "%2e%2e",
    "secret\0.txt",
    "secret\n",
    "",
    "x".repeat(129),
    "ü",
  ];

  it("never leaves the artifact folder, whether it names an artifact or a file", async (test) => {
    const root = join(temporaryFolder(test), "artifacts");
    mkdirSync(root);
    writeFileSync(join(root, "..", "secret"), "secret");
    const artifacts = new ArtifactFolder(root, trashOf(test));
    await put(artifacts, "ex1", { a: "text" });
    for (const name of OUTSIDE) {
      assert.throws(() => artifacts.read("ex1", name), isInvalid(/file_name/), name);
      assert.throws(() => artifacts.read(name, "a"), isInvalid(/artifact_id/), name);
      assert.throws(() => artifacts.remove(name), isInvalid(/artifact_id/), name);
      const files = [fileOf(name, Buffer.alloc(0))];
      await assert.rejects(artifacts.begin(files), isInvalid(/files\.name/), name);
    }
    assert.deepEqual(readdirSync(root), ["ex1"]);
  });

  it("does not leave it by a link either", async (test) => {
    const folder = temporaryFolder(test);
    const root = join(folder, "artifacts");
    mkdirSync(join(folder, "elsewhere"));
    mkdirSync(root);
    writeFileSync(join(folder, "elsewhere", "secret"), "secret");
    const artifacts = new ArtifactFolder(root, trashOf(test));
    await put(artifacts, "ex1", { a: "text" });
    symlinkSync(join(folder, "elsewhere", "secret"), join(root, "ex1", "link"));
    symlinkSync(join(folder, "elsewhere"), join(root, "ex2"));
    const isMissing = (error: unknown) =>
      error instanceof StillhouseError && error.kind === FailureKind.NOT_FOUND;
    assert.throws(() => artifacts.read("ex1", "link"), isMissing);
    assert.throws(() => artifacts.read("ex2", "secret"), isMissing);
    // A home may itself be behind a link.
    symlinkSync(root, join(folder, "linked"));
    const chunks = await new ArtifactFolder(join(folder, "linked"), trashOf(test))
      .read("ex1", "a")
      .toArray();
    assert.equal(Buffer.concat(chunks).toString(), "text");
  });

  it("accepts no more bytes than an artifact can have", async (test) => {
    const artifacts = new ArtifactFolder(temporaryFolder(test), trashOf(test));
    const file = { ...fileOf("a", Buffer.alloc(0)), size: 65n << 30n };
    await assert.rejects(artifacts.begin([file]), isInvalid(/at most 64 GiB/));
  });
});

describe("a home", () => {
  it("keeps checkpoints until their task is done", (test) => {
    const { work } = makeHome(join(temporaryFolder(test), "deep", "home"));
    const folders = new LocalWorkFolders(work, trashOf(test));
    writeFileSync(join(folders.prepare("a"), "checkpoint"), "1");
    writeFileSync(join(folders.prepare("b"), "checkpoint"), "2");
    assert.equal(folders.prepare("a"), join(work, "a"));
    assert.ok(existsSync(join(work, "a", "checkpoint")));
    folders.sweep((taskId) => taskId === "a");
    assert.deepEqual(readdirSync(work), ["b"]);
    folders.remove("b");
    folders.remove("never there");
    assert.deepEqual(readdirSync(work), []);
  });

  it("keeps the newest 50 logs", (test) => {
    const paths = makeHome(temporaryFolder(test));
    for (let index = 0; index < 60; index++) writeFileSync(join(paths.logs, `${index}.log`), "");
    pruneLogs(paths);
    assert.equal(readdirSync(paths.logs).length, 50);
  });

  it("keeps its audit log, however old it is", (test) => {
    const paths = makeHome(temporaryFolder(test));
    writeFileSync(paths.audit, "{}");
    utimesSync(paths.audit, 1, 1);
    for (let i = 0; i < 51; i++) writeFileSync(join(paths.logs, `worker-${i}.log`), "");
    pruneLogs(paths);
    assert.equal(readdirSync(paths.logs).length, 51);
    assert.ok(existsSync(paths.audit));
  });

  it("whose folder cannot be created is refused by its path", (test) => {
    const folder = temporaryFolder(test);
    writeFileSync(join(folder, "file"), "");
    const refused = (error: unknown) =>
      error instanceof StillhouseError &&
      error.kind === FailureKind.ENVIRONMENT &&
      error.message.includes(join(folder, "file", "home"));
    assert.throws(() => makeHome(join(folder, "file", "home")), refused);
    mkdirSync(join(folder, "home"));
    writeFileSync(join(folder, "home", "work"), "");
    assert.throws(() => makeHome(join(folder, "home")), /cannot be opened/);
  });
});
