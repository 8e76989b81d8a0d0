import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import { FailureKind, StillhouseError } from "../../src/errors.js";
import { cancelExperiment } from "../../src/experiment/domain/transitions.js";
import { Event, Experiment, State } from "../../src/generated/stillhouse/v1/experiment.js";
import {
  ExperimentFilter,
  ExperimentOrder,
  Sweep,
} from "../../src/generated/stillhouse/v1/service.js";
import { SqlFile } from "../../src/store/database.js";
import { homePaths } from "../../src/store/home.js";
import { LocalStore } from "../../src/store/local-store.js";
import { NOW, plannedRecord } from "../fixtures/experiments.js";
import { afterwards, temporaryFolder } from "../fixtures/temporary-folder.js";

const ALL = {
  filter: ExperimentFilter.fromPartial({}),
  order: ExperimentOrder.OLDEST_FIRST,
  pageSize: 10,
  pageToken: "",
};
/** The first two do not parse; the last is a valid message, but with an empty id. */
const DAMAGES = ["x'ff'", "x'0aff00'", "x''"];

/** A home of three experiments, reopened after something was done to its database. */
function damaged(test: TestContext, sql: string): { store: LocalStore; warnings: string[] } {
  const home = temporaryFolder(test);
  const first = LocalStore.open(home);
  for (const id of ["aa", "bb", "cc"]) {
    const record = plannedRecord(id);
    const event = Event.fromPartial({
      experimentId: id,
      kind: { $case: "log", value: { message: "made" } },
    });
    first.experiments.create({ record, tasks: record.tasks, events: [event] }, "");
  }
  first.sweeps.createSweep(Sweep.fromPartial({ id: "ss", name: "all" }), "");
  first.close();
  const file = new SqlFile(homePaths(home).database);
  file.exec(sql);
  file.close();
  const warnings: string[] = [];
  const store = LocalStore.open(home, { warn: (line) => warnings.push(line) });
  afterwards(test, () => store.close());
  return { store, warnings };
}

function unreadable(row: RegExp) {
  return (error: unknown) =>
    error instanceof StillhouseError &&
    error.kind === FailureKind.ENVIRONMENT &&
    row.test(error.message) &&
    /rm bb removes the experiment/.test(error.message);
}

for (const [table, where] of [
  ["experiments", "id = 'bb'"],
  ["tasks", "id = 'bb-distill'"],
] as const) {
  describe(`a damaged row of the table ${table}`, () => {
    const row = new RegExp(`the row bb\\S* of the table ${table} in the database cannot be read`);
    for (const bytes of DAMAGES) {
      const sql = `UPDATE ${table} SET message = ${bytes} WHERE ${where}`;

      it(`of ${bytes} is named, and does not affect the others`, (test) => {
        const { store, warnings } = damaged(test, sql);
        const { experiments } = store;
        for (const _ of [1, 2]) assert.throws(() => experiments.find("bb"), unreadable(row));
        assert.equal(warnings.filter((line) => row.test(line)).length, 1, "it is reported once");
        const ids = [...experiments.queue.waiting()].map(({ id }) => id);
        assert.deepEqual(ids, ["aa", "bb", "cc"]);
        assert.deepEqual(experiments.find("cc"), plannedRecord("cc"));
      });

      it(`of ${bytes} is in both lists with its reason`, (test) => {
        const { experiments } = damaged(test, sql).store;
        const listed = experiments.list(ALL).records.map(({ experiment }) => experiment);
        const encoded = experiments
          .listEncoded(ALL)
          .experiments.map((found) => Experiment.decode(found.bytes));
        for (const list of [listed, encoded]) {
          assert.deepEqual(list.map(({ id }) => id), ["aa", "bb", "cc"]); // biome-ignore format: one line
          assert.equal(list[1]?.state, State.FAILED);
          assert.match(list[1]?.failure?.message ?? "", row);
          assert.equal(list[2]?.state, State.QUEUED);
        }
      });

      it(`of ${bytes} is removed with its experiment`, (test) => {
        const { experiments } = damaged(test, sql).store;
        assert.ok(experiments.has("bb"));
        experiments.remove("bb");
        assert.ok(!experiments.has("bb"));
        assert.equal(experiments.find("bb"), undefined);
        assert.deepEqual(experiments.list(ALL).records.length, 2);
        const { taskIds } = experiments.leftovers();
        assert.ok(taskIds.includes("bb-distill"), "its checkpoints go, too");
      });
    }
  });
}

it("a damaged result is not reused, and does not keep others from being", (test) => {
  const sql = `UPDATE tasks SET cache_key = 'k', state = 'STATE_SUCCEEDED', artifact_id = 'a'
    WHERE id LIKE '%-distill'; UPDATE tasks SET message = x'ff' WHERE id = 'aa-distill'`;
  const { experiments } = damaged(test, sql).store;
  assert.deepEqual(experiments.findResults("k"), []);
  assert.equal(experiments.findArtifact("a"), undefined);
});

it("a damaged event is reported in its place", (test) => {
  const sql = "UPDATE events SET message = x'ff' WHERE experiment_id = 'bb' AND sequence = 1";
  const { experiments } = damaged(test, sql).store;
  const [event] = experiments.eventsAfter("bb", 0n, 10);
  assert.equal(event?.sequence, 1n);
  assert.equal(event?.experimentId, "bb");
  const line = event?.kind?.$case === "log" ? event.kind.value.message : "";
  assert.match(line, /Event 1 cannot be read: its row in the database is damaged/);
});

it("a damaged sweep is listed by its id", (test) => {
  const { sweeps } = damaged(test, "UPDATE sweeps SET message = x'ff'").store;
  assert.match(sweeps.findSweep("ss")?.name ?? "", /row ss of the table sweeps cannot be read/);
  assert.equal(sweeps.listSweeps(10, "").sweeps[0]?.id, "ss");
});

it("a damaged experiment does not keep another from being stored and read", (test) => {
  const { store } = damaged(test, "UPDATE experiments SET message = x'ff' WHERE id = 'bb'");
  const record = cancelExperiment(plannedRecord("dd"), NOW);
  store.experiments.create({ record, tasks: record.tasks, events: [] }, "");
  assert.deepEqual(store.experiments.find("dd"), record);
});
