import assert from "node:assert/strict";
import { describe } from "node:test";
import { FailureKind, StillhouseError } from "../../src/errors.js";
import { cancelExperiment } from "../../src/experiment/domain/transitions.js";
import { homePaths } from "../../src/store/home.js";
import { LocalStore } from "../../src/store/local-store.js";
import { openForMetrics } from "../../src/store/schema.js";
import { NOW, plannedRecord, quickSpec } from "../fixtures/experiments.js";
import { noSmallDisk, SmallDisk } from "../fixtures/small-disk.js";
import { afterwards } from "../fixtures/temporary-folder.js";
import { it } from "../fixtures/waiting.js";
import { TestPlane } from "./test-plane.js";

const isFull = (error: unknown) =>
  error instanceof StillhouseError && error.kind === FailureKind.EXHAUSTED;

function stored(store: LocalStore, id: string): void {
  const record = cancelExperiment(plannedRecord(id), NOW);
  store.experiments.create({ record, tasks: record.tasks, events: [] }, "");
}

/** Stores points of the first task of an experiment, about 35 bytes each. */
function withPoints(home: string, experimentId: string, count: number): void {
  const file = openForMetrics(homePaths(home).database);
  const taskId = plannedRecord(experimentId).tasks[0]?.task.id ?? "";
  file.run("INSERT INTO metric_series (task_id, name) VALUES (?, 'loss')", taskId);
  file.run(
    `WITH RECURSIVE steps (step) AS (SELECT 1 UNION ALL SELECT step + 1 FROM steps WHERE step < ?)
     INSERT INTO metric_points (series, step, attempt, sequence, value, time_ms)
     SELECT (SELECT max(id) FROM metric_series), step, 1, step, 0.123456789 * step, 1.7e12 + step
     FROM steps`,
    count,
  );
  file.pragma("wal_checkpoint(TRUNCATE)");
  file.close();
}

describe("a home on a full disk", { skip: noSmallDisk }, () => {
  it("lists experiments, and also removes those that are larger than the free space", (test) => {
    const disk = new SmallDisk(test, 24);
    const home = disk.folder;
    const store = LocalStore.open(home);
    afterwards(test, () => store.close());
    for (const id of ["kept", "small", "large"]) stored(store, id);
    // 7 MB of points: more than the reserve that is kept for removals.
    withPoints(home, "large", 200_000);
    store.keepReserve();
    disk.fill();
    assert.throws(() => {
      for (let n = 0; n < 100; n++) stored(store, `more ${n}`);
    }, isFull);
    assert.equal(store.experiments.find("kept")?.experiment.id, "kept");
    store.experiments.remove("large");
    store.experiments.remove("small");
    assert.equal(store.experiments.find("large"), undefined);
    assert.equal(store.experiments.find("small"), undefined);
    assert.equal(store.experiments.find("kept")?.experiment.id, "kept");
    // Removals leave room within the database file.
    stored(store, "new");
    assert.throws(() => store.assertWritable(), isFull, "not before the reserve is back");
    disk.empty();
    store.assertWritable();
  });

  it("is opened, read and freed of experiments over the network, and accepts none", async (test) => {
    const disk = new SmallDisk(test, 24);
    const first = await TestPlane.start(test, { home: disk.folder });
    const ids: string[] = [];
    for (let seed = 0; seed < 3; seed++) {
      const { id } = await first.client.create(quickSpec(seed), "");
      await first.client.cancel(id);
      ids.push(id);
    }
    await first.stop();
    disk.fill();
    const { client } = await TestPlane.start(test, { home: disk.folder });
    const listed = async () => (await client.list(100, "")).experiments.map(({ id }) => id);
    assert.deepEqual((await listed()).sort(), [...ids].sort());
    disk.fill();
    const more = async () => {
      for (let seed = 10; seed < 200; seed++) await client.create(quickSpec(seed), "");
    };
    await assert.rejects(more(), isFull);
    for (const id of ids) {
      for await (const _ of client.watch(id, 0n)) {
        // Every stored event can be read.
      }
      await client.delete(id);
    }
    assert.ok((await listed()).every((id) => !ids.includes(id)));
  });
});
