import assert from "node:assert/strict";
import { join } from "node:path";
import { it } from "node:test";
import type { ExperimentRecord } from "../../src/experiment/domain/record.js";
import { withResult } from "../../src/experiment/domain/resulted.js";
import { isEnded } from "../../src/experiment/domain/states.js";
import { completeTask, leaseTask } from "../../src/experiment/domain/transitions.js";
import { Experiment, Task, TaskResult } from "../../src/generated/stillhouse/v1/experiment.js";
import { ExperimentFilter, ExperimentOrder } from "../../src/generated/stillhouse/v1/service.js";
import { testedRows } from "../../src/results/rows.js";
import { SqlFile } from "../../src/store/database.js";
import { SqliteExperimentStore } from "../../src/store/experiment-store.js";
import { SqliteMetricStore } from "../../src/store/metric-store.js";
import { openDatabase } from "../../src/store/schema.js";
import { DISTILLED, NOW, plannedRecord, resolvedSpec } from "../fixtures/experiments.js";
import { SCHEMA_VERSION_1 } from "../fixtures/schema-version-1.js";
import { afterwards, temporaryFolder } from "../fixtures/temporary-folder.js";

function insertAsVersion1(file: SqlFile, { experiment, tasks }: ExperimentRecord): void {
  const { id, state } = experiment;
  file.run(
    `INSERT INTO experiments (id, state, is_ended, cancel_requested, message)
     VALUES (?, ?, 0, 0, ?)`,
    ...[id, state, Experiment.encode(experiment).finish()],
  );
  tasks.forEach(({ task, numLost }, position) => {
    file.run(
      `INSERT INTO tasks (id, experiment_id, position, state, attempt, cache_key, num_lost, message)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
      ...[task.id, id, position, task.state, task.attempt, task.cacheKey, numLost],
      Task.encode(task).finish(),
    );
  });
}

function finished(id: string, name: string, accuracy: number): ExperimentRecord {
  const spec = resolvedSpec();
  spec.name = name;
  const learners = { inits: [{ initSeed: 1, accuracy }] };
  const evaluated = TaskResult.fromPartial({ kind: { $case: "learners", value: learners } });
  const [distill, evaluate] = [`${id}-distill`, `${id}-evaluate`];
  let record = leaseTask(plannedRecord(id, spec), distill, NOW);
  record = leaseTask(completeTask(record, distill, DISTILLED, NOW), evaluate, NOW);
  return completeTask(record, evaluate, evaluated, NOW);
}

it("a database of version 1 keeps all its content, and can be searched like a new one", (test) => {
  const path = join(temporaryFolder(test), "stillhouse.db");
  const records = [finished("ex1", "Good", 0.9), plannedRecord("ex2"), finished("ex3", "", 0.5)];
  const old = new SqlFile(path);
  old.exec(SCHEMA_VERSION_1);
  for (const record of records) insertAsVersion1(old, record);
  // Step 20 has the values of two attempts.
  for (const point of [
    "1, 1, 'loss', 10, 0.5",
    "1, 2, 'loss', 20, 0.25",
    "2, 1, 'loss', 20, 0.75",
  ]) {
    old.exec(`INSERT INTO metric_points VALUES ('ex1-distill', ${point}, 0)`);
  }
  old.exec(
    "INSERT INTO metric_summaries VALUES ('ex1-distill', 'loss', 3, 20, 0.75, 20, 0.25, 20, 0.75)",
  );
  // So many points that they are read in blocks.
  old.exec(`
    WITH RECURSIVE steps (step) AS (SELECT 1 UNION ALL SELECT step + 1 FROM steps WHERE step < 9000)
    INSERT INTO metric_points SELECT 'ex1-full', 1, step, 'loss', step, step % 1000, 0 FROM steps`);
  old.exec("UPDATE metric_points SET value = 5000 WHERE task_id = 'ex1-full' AND step = 4321");
  old.exec(
    "INSERT INTO metric_summaries VALUES ('ex1-full', 'loss', 9000, 9000, 0, 1000, 0, 4321, 5000)",
  );
  old.close();

  const file = openDatabase(path);
  afterwards(test, () => file.close());
  const store = new SqliteExperimentStore(file);
  for (const record of records) {
    assert.deepEqual(store.find(record.experiment.id), withResult(record));
  }
  const query = { filter: ExperimentFilter.fromPartial({}), pageSize: 10, pageToken: "" };
  const listed = store
    .listEncoded({ ...query, order: ExperimentOrder.MOST_ACCURATE_FIRST })
    .experiments.map(({ bytes }) => Experiment.decode(bytes).result);
  assert.deepEqual(
    listed.map((result) => testedRows(result).map(({ id, accuracy }) => [id, accuracy.mean])),
    [[["distilled", 0.9]], [["distilled", 0.5]], []],
  );
  const found = (filter: Partial<ExperimentFilter>) =>
    store
      .list({
        filter: ExperimentFilter.fromPartial(filter),
        order: ExperimentOrder.MOST_ACCURATE_FIRST,
        pageSize: 10,
        pageToken: "",
      })
      .records.map(({ experiment }) => experiment.id);
  assert.deepEqual(found({}), ["ex1", "ex3", "ex2"]);
  assert.deepEqual(found({ text: "good" }), ["ex1"]);
  assert.deepEqual(found({ dataset: resolvedSpec().dataset?.name ?? "" }), ["ex1", "ex3", "ex2"]);
  assert.equal(store.findArtifact("ex0")?.id, "ex0");
  const metrics = new SqliteMetricStore(file);
  const [series] = metrics.series(["ex1-distill"], [], () => ({
    ...{ firstStep: 0, lastStep: 100, maxPoints: 10 },
  }));
  assert.deepEqual(
    [series?.steps, series?.values],
    [
      [10n, 20n],
      [0.5, 0.75],
    ],
  );
  assert.equal(metrics.summaries(["ex1-distill"])[0]?.numPoints, 2n);
  const [long] = metrics.series(["ex1-full"], [], () => ({
    ...{ firstStep: 0, lastStep: 10_000, maxPoints: 12 },
  }));
  assert.equal(long?.values[long.steps.indexOf(4321n)], 5000);
  assert.deepEqual([long?.numPoints, Math.min(...(long?.values ?? []))], [9000n, 0]);
  const later = { sequence: 2n, name: "loss", step: 30n, value: 0.125, time: undefined };
  metrics.appendMetrics("ex1-distill", 2, [later]);
  assert.equal(metrics.summaries(["ex1-distill"])[0]?.numPoints, 3n);

  const fresh = openDatabase(join(temporaryFolder(test), "fresh.db"));
  afterwards(test, () => fresh.close());
  assert.deepEqual(structureOf(file), structureOf(fresh));
  const anew = new SqliteExperimentStore(fresh);
  // Version 1 was filled as if nothing had ended.
  const unfinished = records.filter(({ experiment }) => !isEnded(experiment.state));
  assert.ok(unfinished.length >= 2 && unfinished.length === records.length);
  for (const record of records) anew.create({ record, tasks: record.tasks, events: [] }, "");
  assert.deepEqual([...store.queue.waiting()], [...anew.queue.waiting()]);
  assert.deepEqual(store.queue.taskCounts(), anew.queue.taskCounts());
});

/** Tables, their columns and indexes, whichever version created them. */
function structureOf(file: SqlFile): unknown {
  const tables = file.all<{ type: string; name: string }>(
    "SELECT type, name FROM sqlite_schema WHERE name NOT LIKE 'sqlite_%' ORDER BY type, name",
  );
  const columns = tables.map(({ name }) =>
    file.all('SELECT name, type, "notnull", dflt_value, pk FROM pragma_table_xinfo(?)', name),
  );
  return { tables, columns };
}
