import assert from "node:assert/strict";
import { copyFileSync, existsSync, mkdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { it } from "node:test";
import { homePaths, makeHome } from "../../src/store/home.js";
import { LocalStore } from "../../src/store/local-store.js";
import { plannedRecord } from "../fixtures/experiments.js";
import { afterwards, temporaryFolder } from "../fixtures/temporary-folder.js";

it("a home is made for its owner alone", (test) => {
  const { home } = makeHome(join(temporaryFolder(test), "new", "home"));
  assert.equal(statSync(home).mode & 0o777, 0o700);
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
