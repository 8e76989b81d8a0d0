import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { it } from "node:test";
import { FailureKind, StillhouseError } from "../../src/errors.js";
import { StorageFault } from "../../src/experiment/domain/storage-fault.js";
import { openDatabase } from "../../src/store/schema.js";
import { storageFailure } from "../../src/store/storage-failure.js";
import { temporaryFolder } from "../fixtures/temporary-folder.js";
import { PROJECT } from "../fixtures/tiny.js";

function failureOf(code: string): StillhouseError {
  const failure = storageFailure(Object.assign(new Error("low-level words"), { code }), "/home/x");
  assert.ok(failure instanceof StillhouseError, code);
  return failure;
}

it("a full disk is EXHAUSTED, and everything else about a disk is the ENVIRONMENT", () => {
  for (const code of ["SQLITE_FULL", "SQLITE_IOERR_WRITE", "ENOSPC", "EDQUOT", "EFBIG"]) {
    const failure = failureOf(code);
    assert.equal(failure.kind, FailureKind.EXHAUSTED, code);
    assert.match(failure.message, /^\/home\/x could not be written: the disk is full/);
    assert.equal(failure.retryable, true);
  }
  const others = ["SQLITE_READONLY_DBMOVED", "SQLITE_CANTOPEN", "SQLITE_CORRUPT", "SQLITE_NOTADB"];
  for (const code of [
    ...others,
    "SQLITE_BUSY",
    "SQLITE_IOERR_READ",
    "EROFS",
    "EACCES",
    "EPERM",
    "ENOENT",
  ]) {
    const failure = failureOf(code);
    assert.equal(failure.kind, FailureKind.ENVIRONMENT, code);
    assert.match(failure.message, /^\/home\/x /, code);
    assert.doesNotMatch(failure.message, /low-level/);
  }
});

it("what concerns one path is no fault of the whole home", () => {
  for (const code of ["EACCES", "EPERM", "ENOTDIR", "EEXIST", "EFBIG", "EBUSY"]) {
    assert.equal(failureOf(code) instanceof StorageFault, false, code);
  }
  const ofHome = ["SQLITE_FULL", "SQLITE_IOERR_READ", "SQLITE_BUSY", "SQLITE_LOCKED"];
  for (const code of [...ofHome, "ENOSPC", "EDQUOT", "EROFS", "EIO", "EMFILE", "ENFILE"]) {
    const failure = failureOf(code);
    assert.ok(failure instanceof StorageFault && !failure.isLasting, code);
  }
  for (const code of ["SQLITE_CORRUPT", "SQLITE_NOTADB"]) {
    const failure = failureOf(code);
    assert.ok(failure instanceof StorageFault && failure.isLasting, code);
  }
});

it("what is no failure of the disk passes through", () => {
  const defect = new TypeError("x is not a function");
  assert.equal(storageFailure(defect, "/home/x"), defect);
  const notEmpty = Object.assign(new Error("rmdir"), { code: "ENOTEMPTY" });
  assert.equal(storageFailure(notEmpty, "/home/x"), notEmpty);
  const constraint = Object.assign(new Error("UNIQUE"), { code: "SQLITE_CONSTRAINT_UNIQUE" });
  assert.equal(storageFailure(constraint, "/home/x"), constraint);
});

it("a database that another process is about to release is waited for", async (test) => {
  const path = join(temporaryFolder(test), "stillhouse.db");
  const holder = `
    const database = new (require("libsql"))(${JSON.stringify(path)});
    database.exec("CREATE TABLE held (x); BEGIN EXCLUSIVE");
    process.stdout.write("held");
    setTimeout(() => database.exec("COMMIT"), 300);`;
  const child = spawn(process.execPath, ["-e", holder], { cwd: PROJECT });
  const ended = once(child, "exit");
  await once(child.stdout, "data");
  const file = openDatabase(path);
  assert.equal(file.get<{ count: number }>("SELECT count(*) AS count FROM tasks")?.count, 0);
  file.close();
  assert.deepEqual(await ended, [0, null]);
});
