import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { Trash } from "../../src/store/trash.js";
import { LocalWorkFolders } from "../../src/store/work-folders.js";
import { afterwards, temporaryFolder } from "../fixtures/temporary-folder.js";

/** A process that keeps writing files into a folder, whenever the folder exists. */
const WRITER = `
  import { renameSync, writeFileSync } from "node:fs";
  const folder = process.argv[1];
  console.log("begun");
  for (let count = 0; ; count++) {
    try {
      writeFileSync(folder + "/draft-" + (count % 50), "1");
      renameSync(folder + "/draft-" + (count % 50), folder + "/seconds");
    } catch {}
  }
`;

describe("the trash", () => {
  it("takes a folder each time, even while a process writes into it, and is empty in the end", async (test) => {
    const home = temporaryFolder(test);
    const faults: string[] = [];
    const trash = new Trash(join(home, "trash"), (sentence) => faults.push(sentence));
    const folders = new LocalWorkFolders(join(home, "work"), trash);
    const writer = spawn(process.execPath, [
      ...["--input-type=module", "--eval", WRITER, join(home, "work", "t")],
    ]);
    afterwards(test, () => writer.kill("SIGKILL"));
    await once(writer.stdout, "data");
    for (let count = 0; count < 100; count++) {
      const folder = folders.prepare("t");
      while (!existsSync(join(folder, "seconds")));
      assert.equal(folders.remove("t"), true);
      assert.equal(existsSync(folder), false);
      if (count % 50 === 0) await trash.settled();
    }
    writer.kill("SIGKILL");
    await once(writer, "exit");
    await trash.settled();
    trash.empty();
    await trash.settled();
    assert.deepEqual(readdirSync(join(home, "trash")), []);
    assert.deepEqual(faults, []);
  });

  it("succeeds where there is nothing to remove", (test) => {
    const trash = new Trash(join(temporaryFolder(test), "trash"));
    assert.equal(trash.discard(join(temporaryFolder(test), "none")), true);
  });

  it("removes what an earlier process left", async (test) => {
    const folder = temporaryFolder(test);
    mkdirSync(join(folder, "left", "deep"), { recursive: true });
    const trash = new Trash(folder);
    trash.empty();
    await trash.settled();
    assert.deepEqual(readdirSync(folder), []);
  });

  it("removes in place what it cannot move", (test) => {
    const folder = temporaryFolder(test);
    writeFileSync(join(folder, "file"), "");
    mkdirSync(join(folder, "discarded"));
    const trash = new Trash(join(folder, "file", "no folder"));
    assert.equal(trash.discard(join(folder, "discarded")), true);
    assert.deepEqual(readdirSync(folder), ["file"]);
  });
});
