import assert from "node:assert/strict";
import { chmodSync, chownSync, copyFileSync, existsSync, mkdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { openHome } from "../../src/open-home.js";
import { homePaths, keepPrivate, makeHome } from "../../src/store/home.js";
import { LocalStore } from "../../src/store/local-store.js";
import { plannedRecord } from "../fixtures/experiments.js";
import { afterwards, temporaryFolder } from "../fixtures/temporary-folder.js";

it("a home is created for its owner alone, and folders above it with the usual mode", (test) => {
  const above = join(temporaryFolder(test), "new");
  const { home } = makeHome(join(above, "home"));
  assert.equal(statSync(home).mode & 0o777, 0o700);
  assert.notEqual(statSync(above).mode & 0o777, 0o700);
});

describe("an existing home that others can read", () => {
  it("is closed to them, and says so once", (test) => {
    const paths = homePaths(temporaryFolder(test));
    chmodSync(paths.home, 0o755);
    const notes: string[] = [];
    keepPrivate(paths, (note) => notes.push(note));
    keepPrivate(paths, (note) => notes.push(note));
    assert.equal(statSync(paths.home).mode & 0o777, 0o700);
    assert.equal(notes.length, 1);
    assert.match(notes[0] ?? "", /was open to other accounts .* \(mode 755\); it is for its owner/);
  });

  it("is left as it is where it belongs to everybody, with a warning", (test) => {
    const paths = homePaths(temporaryFolder(test));
    chmodSync(paths.home, 0o1777);
    const notes: string[] = [];
    keepPrivate(paths, (note) => notes.push(note));
    assert.equal(statSync(paths.home).mode & 0o7777, 0o1777);
    assert.match(notes[0] ?? "", /is open to other accounts .* \(mode 1777\); .* chmod 700/);
  });

  const skip = process.getuid?.() === 0 ? false : "only root can give a folder away";
  it("is left as it is where it belongs to another account, with a warning", { skip }, (test) => {
    const paths = homePaths(temporaryFolder(test));
    chmodSync(paths.home, 0o750);
    chownSync(paths.home, 4_711, 4_711);
    const notes: string[] = [];
    keepPrivate(paths, (note) => notes.push(note));
    assert.equal(statSync(paths.home).mode & 0o777, 0o750);
    assert.match(notes[0] ?? "", /is open to other accounts .* its owner can close it/);
  });
});

it("every command on a home closes it to others", async (test) => {
  const home = temporaryFolder(test);
  chmodSync(home, 0o755);
  const notes: string[] = [];
  const opened = await openHome(home, (note) => notes.push(note));
  assert.ok(opened.kind === "owner");
  opened.lock.release();
  assert.equal(statSync(home).mode & 0o777, 0o700);
  assert.equal(notes.length, 1);
});

it("after a clean stop the database alone is a whole home", (test) => {
  const home = temporaryFolder(test);
  const store = LocalStore.open(home);
  const record = plannedRecord();
  store.experiments.create({ record, tasks: record.tasks, events: [] }, "");
  store.close();
  const copy = join(home, "copy");
  mkdirSync(copy);
  copyFileSync(homePaths(home).database, homePaths(copy).database);
  assert.ok(!existsSync(`${homePaths(copy).database}-wal`));
  const opened = LocalStore.open(copy);
  afterwards(test, () => opened.close());
  assert.deepEqual(opened.experiments.find(record.experiment.id), record);
});
