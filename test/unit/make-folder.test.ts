import assert from "node:assert/strict";
import { existsSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { makeFolder } from "../../src/make-folder.js";
import { temporaryFolder } from "../fixtures/temporary-folder.js";

describe("making a folder", () => {
  it("makes its parents too, with the mode, and accepts existing folders", (t) => {
    const root = temporaryFolder(t);
    makeFolder(join(root, "a", "b"), 0o700);
    makeFolder(join(root, "a", "b"), 0o755);
    assert.equal(statSync(join(root, "a")).mode & 0o777, 0o700);
    assert.equal(statSync(join(root, "a", "b")).mode & 0o777, 0o700);
  });

  it("fails where a file is in the way", (t) => {
    const root = temporaryFolder(t);
    writeFileSync(join(root, "file"), "");
    assert.throws(() => makeFolder(join(root, "file")), { code: "EEXIST" });
    assert.throws(() => makeFolder(join(root, "file", "a", "b")), { code: "ENOTDIR" });
  });

  it("fails at once where the system allows no folder, which Node's own function tries for ever", {
    skip: !existsSync("/proc/self"),
  }, () => {
    for (const path of ["/proc/stillhouse", "/proc/stillhouse/a/b", "/proc/self/a"]) {
      assert.throws(() => makeFolder(path), { code: "ENOENT" });
    }
  });
});
