import assert from "node:assert/strict";
import { copyFileSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { StorageFault } from "../../src/experiment/domain/storage-fault.js";
import { SqliteExperimentStore } from "../../src/store/experiment-store.js";
import { checkInBackground, whenToCheck } from "../../src/store/integrity.js";
import { openDatabase } from "../../src/store/schema.js";
import { plannedRecord } from "../fixtures/experiments.js";
import { temporaryFolder } from "../fixtures/temporary-folder.js";

const NEVER = new AbortController().signal;

/** A database that is in use. */
function filled(test: TestContext): string {
  const path = join(temporaryFolder(test), "stillhouse.db");
  const file = openDatabase(path);
  test.after(() => file.close());
  const store = new SqliteExperimentStore(file);
  for (let index = 0; index < 50; index++) {
    const record = plannedRecord(`ex${index}`);
    store.create({ record, tasks: record.tasks, events: [] }, "");
  }
  file.pragma("wal_checkpoint(TRUNCATE)");
  return path;
}

describe("a database", () => {
  it("is checked when it is opened if it is small, and later if it is large and was torn away", (test) => {
    const path = join(temporaryFolder(test), "stillhouse.db");
    assert.equal(whenToCheck(path), "never");
    writeFileSync(path, "");
    assert.equal(whenToCheck(path), "now");
    truncateSync(path, 2 ** 30);
    assert.equal(whenToCheck(path), "never");
    writeFileSync(`${path}-wal`, "");
    assert.equal(whenToCheck(path), "never");
    writeFileSync(`${path}-wal`, "a change that its process did not live to put into the database");
    assert.equal(whenToCheck(path), "later");
  });

  it("is checked while it is in use, and its damage is found", async (test) => {
    const path = filled(test);
    assert.equal(await checkInBackground(path, NEVER), undefined);
    const damaged = join(temporaryFolder(test), "damaged.db");
    copyFileSync(path, damaged);
    truncateSync(damaged, 12_288);
    const fault = await checkInBackground(damaged, NEVER);
    assert.ok(fault instanceof StorageFault && fault.isLasting);
    assert.match(fault.message, /damaged\.db is damaged \(.+\); move it away/);
  });

  it("is no longer checked when its control plane stops", async (test) => {
    const stopped = new AbortController();
    const checked = checkInBackground(filled(test), stopped.signal);
    stopped.abort();
    assert.equal(await checked, undefined);
  });
});
