import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { copyFileSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { FailureKind } from "../../src/errors.js";
import type { ExperimentRecord } from "../../src/experiment/domain/record.js";
import {
  cancelExperiment,
  completeTask,
  leaseTask,
} from "../../src/experiment/domain/transitions.js";
import { Event, MetricPoint } from "../../src/generated/stillhouse/v1/experiment.js";
import type { SqlFile } from "../../src/store/database.js";
import { SqliteExperimentStore } from "../../src/store/experiment-store.js";
import { SqliteMetricStore } from "../../src/store/metric-store.js";
import { openDatabase, openForMetrics } from "../../src/store/schema.js";
import { LEARNERS, NOW, plannedRecord } from "../fixtures/experiments.js";
import { fails } from "../fixtures/fails.js";
import { afterwards, temporaryFolder } from "../fixtures/temporary-folder.js";

function opened(test: TestContext) {
  const path = join(temporaryFolder(test), "stillhouse.db");
  const file = openDatabase(path);
  afterwards(test, () => file.close());
  return { path, file, store: new SqliteExperimentStore(file) };
}

function created(store: SqliteExperimentStore, record: ExperimentRecord, requestId = "") {
  return store.create(
    { record, tasks: record.tasks, events: [logEvent(record, "made")] },
    requestId,
  );
}

function logEvent(record: ExperimentRecord, message: string): Event {
  return Event.fromPartial({
    experimentId: record.experiment.id,
    time: NOW,
    kind: { $case: "log", value: { message } },
  });
}

describe("the store of experiments", () => {
  it("returns every stored field", (test) => {
    const { store } = opened(test);
    const record = plannedRecord();
    created(store, record);
    assert.deepEqual(store.find("ex1"), record);
    const id = "ex1-untrained";
    const changed = cancelExperiment(
      completeTask(leaseTask(record, id, NOW), id, LEARNERS, NOW),
      NOW,
    );
    store.commit({ record: changed, tasks: changed.tasks, events: [] });
    assert.deepEqual(store.find("ex1"), changed);
    assert.equal(store.find("ex2"), undefined);
  });

  it("finds an experiment by its request id, and stores one per request", (test) => {
    const { store } = opened(test);
    created(store, plannedRecord("ex1"), "request 1");
    created(store, plannedRecord("ex2"));
    created(store, plannedRecord("ex3"));
    assert.equal(store.findByRequest("request 1", "")?.experiment.id, "ex1");
    assert.equal(store.findByRequest("", ""), undefined);
    assert.throws(() => created(store, plannedRecord("ex4"), "request 1"));
    assert.equal(store.find("ex4"), undefined, "a failed transaction leaves nothing behind");
  });

  it("keeps request ids per owner, and finds those that were stored without an owner", (test) => {
    const { store, file } = opened(test);
    const ofOwner = (id: string, owner: string) => {
      const record = plannedRecord(id);
      return { ...record, experiment: { ...record.experiment, owner } };
    };
    created(store, ofOwner("ex1", "anna"), "request 1");
    created(store, ofOwner("ex2", "bob"), "request 1");
    created(store, ofOwner("ex3", ""), "request 1");
    const requestOf = (owner: string) => store.findByRequest("request 1", owner)?.experiment.id;
    assert.deepEqual(["anna", "bob", "", "eve"].map(requestOf), ["ex1", "ex2", "ex3", undefined]);
    file.run("UPDATE experiments SET request_id = 'request 2' WHERE id = 'ex1'");
    assert.equal(store.findByRequest("request 2", "anna")?.experiment.id, "ex1");
    assert.equal(store.findByRequest("request 2", "bob"), undefined);
  });

  it("lists unfinished experiments, oldest first", (test) => {
    const { store } = opened(test);
    for (const id of ["a", "b", "c"]) created(store, plannedRecord(id));
    const ended = cancelExperiment(plannedRecord("b"), NOW);
    store.commit({ record: ended, tasks: ended.tasks, events: [] });
    assert.deepEqual(
      [...store.queue.waiting()].map(({ id }) => id),
      ["a", "c"],
    );
  });

  it("numbers the events of each experiment from 1 without a gap", (test) => {
    const { store } = opened(test);
    const [one, two] = [plannedRecord("ex1"), plannedRecord("ex2")];
    created(store, one);
    created(store, two);
    for (const message of ["a", "b", "c"]) {
      const events = [logEvent(one, message), logEvent(one, message)];
      store.commit({ record: one, tasks: [], events });
    }
    const all = store.eventsAfter("ex1", 0n, 100);
    assert.deepEqual(
      all.map(({ sequence }) => sequence),
      [1n, 2n, 3n, 4n, 5n, 6n, 7n],
    );
    assert.deepEqual(store.eventsAfter("ex1", 2n, 3), all.slice(2, 5));
    assert.deepEqual([store.lastSequence("ex1"), store.lastSequence("ex2")], [7n, 1n]);
    assert.equal(store.lastSequence("no such"), 0n);
  });

  it("reads a few of the newest results of a cache key, however many there are", (test) => {
    const { store } = opened(test);
    const key = plannedRecord().tasks[2]?.task.cacheKey ?? "";
    const times = Array.from({ length: 100 }, (_, at) => new Date(NOW.getTime() + 1_000 * at));
    for (const [at, time] of times.entries()) {
      const id = `ex${at}`;
      const record = plannedRecord(id);
      created(store, record);
      const leased = leaseTask(record, `${id}-full`, time);
      const done = completeTask(leased, `${id}-full`, LEARNERS, time);
      store.commit({ record: done, tasks: done.tasks, events: [] });
    }
    const found = store.findResults(key).map(({ endTime }) => endTime);
    assert.ok(found.length < 100);
    assert.deepEqual(found, times.toReversed().slice(0, found.length));
    assert.deepEqual([...store.keysWithResults([key, key, "other"])], [key]);
  });

  it("finds the result of a cache key only once its task has succeeded", (test) => {
    const { store } = opened(test);
    const record = plannedRecord();
    created(store, record);
    const key = record.tasks[2]?.task.cacheKey ?? "";
    assert.deepEqual(store.findResults(key), []);
    const changed = completeTask(leaseTask(record, "ex1-full", NOW), "ex1-full", LEARNERS, NOW);
    store.commit({ record: changed, tasks: changed.tasks, events: [] });
    assert.deepEqual(
      store.findResults(key).map(({ result }) => result),
      [LEARNERS],
    );
    assert.deepEqual(store.findResults(""), []);
    assert.equal(store.isTaskSucceeded("ex1-full"), true);
    assert.equal(store.isTaskSucceeded("ex1-distill"), false);
  });
});

describe("metrics", () => {
  it("count once when they are sent again, and their summary has the last, least and greatest", (test) => {
    const { path, store } = opened(test);
    created(store, plannedRecord());
    const file = openForMetrics(path);
    const metrics = new SqliteMetricStore(file);
    const point = (sequence: number, step: number, value: number) =>
      MetricPoint.fromPartial({
        sequence: BigInt(sequence),
        step: BigInt(step),
        name: "loss",
        value,
      });
    const points = [point(1, 10, 0.5), point(2, 20, 0.25), point(3, 30, Number.NaN)];
    metrics.appendMetrics("ex1-distill", 1, points);
    metrics.appendMetrics("ex1-distill", 1, points);
    metrics.appendMetrics("ex1-distill", 1, [...points, point(4, 40, 0.75)]);
    metrics.appendMetrics("ex1-distill", 2, [point(1, 25, Number.POSITIVE_INFINITY)]);
    assert.deepEqual(metrics.summaries(["ex1-distill"]), [
      {
        taskId: "ex1-distill",
        name: "loss",
        numPoints: 5n,
        descriptor: undefined,
        last: { step: 40n, value: 0.75 },
        min: { step: 20n, value: 0.25 },
        max: { step: 25n, value: Number.POSITIVE_INFINITY },
      },
    ]);
    file.close();
  });
});

describe("a database that cannot be used", () => {
  it("of a newer version is refused and left as it is", (test) => {
    const { path, file, store } = opened(test);
    created(store, plannedRecord());
    file.exec("PRAGMA user_version = 99");
    const newer = fails(FailureKind.ENVIRONMENT, /newer Stillhouse.*99/);
    assert.throws(() => openDatabase(path), newer);
    assert.ok(store.find("ex1"));
  });

  it("that is damaged or no database is refused by its path", (test) => {
    const folder = temporaryFolder(test);
    const noDatabase = join(folder, "text.db");
    writeFileSync(noDatabase, "this is no database, whatever its name says".repeat(200));
    const broken = fails(FailureKind.ENVIRONMENT, /text\.db is damaged or no database/);
    assert.throws(() => openDatabase(noDatabase), broken);

    const { path, file, store } = opened(test);
    for (let index = 0; index < 50; index++) created(store, plannedRecord(`ex${index}`));
    file.pragma("wal_checkpoint(TRUNCATE)");
    const damaged = join(folder, "damaged.db");
    copyFileSync(path, damaged);
    truncateSync(damaged, 12_288);
    const cut = fails(FailureKind.ENVIRONMENT, /damaged\.db is damaged/);
    assert.throws(() => openDatabase(damaged), cut);
  });

  it("on a full disk fails as EXHAUSTED, keeps what it had and works again later", (test) => {
    const { file, store } = opened(test);
    created(store, plannedRecord("before"));
    limitPages(file, 0);
    const full = fails(FailureKind.EXHAUSTED, /the disk is full/);
    assert.throws(() => {
      for (let index = 0; index < 100; index++) created(store, plannedRecord(`full${index}`));
    }, full);
    assert.equal(file.pragma("quick_check"), "ok");
    assert.ok(store.find("before"));
    limitPages(file, 10_000);
    created(store, plannedRecord("after"));
    assert.ok(store.find("after"));
  });

  it("whose file may not grow fails as EXHAUSTED too", (test) => {
    const { path, store } = opened(test);
    created(store, plannedRecord("before"));
    const script = `
      import { openDatabase } from "./src/store/schema.js";
      const file = openDatabase(${JSON.stringify(path)});
      try {
        for (;;) file.run("INSERT INTO events VALUES ('before', abs(random()), zeroblob(50000))");
      } catch (error) { console.log(error.kind); }`;
    const command = `ulimit -f 1000; exec "$0" --import tsx --input-type=module -e "$1"`;
    const child = spawnSync("bash", ["-c", command, process.execPath, script], {
      encoding: "utf8",
    });
    assert.equal(child.stdout.trim(), "FAILURE_KIND_EXHAUSTED", child.stderr);
    assert.ok(store.find("before"));
  });

  it("in a folder that is not there is refused by its path", (test) => {
    const path = join(temporaryFolder(test), "none", "x.db");
    const missing = fails(FailureKind.ENVIRONMENT, /\/none\/x\.db cannot be opened/);
    assert.throws(() => openDatabase(path), missing);
  });

  it("that another program holds is refused as such, after a while", (test) => {
    const { path, file, store } = opened(test);
    const other = openDatabase(path);
    other.exec("BEGIN IMMEDIATE");
    file.pragma("busy_timeout = 50");
    const busy = fails(FailureKind.ENVIRONMENT, /locked by another program/);
    assert.throws(() => created(store, plannedRecord()), busy);
    other.exec("ROLLBACK");
    created(store, plannedRecord());
    other.close();
  });
});

/** A disk with room for this many more pages. */
function limitPages(file: SqlFile, more: number) {
  file.pragma(`max_page_count = ${Number(file.pragma("page_count")) + more}`);
}
