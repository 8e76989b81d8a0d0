import assert from "node:assert/strict";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { listBytes } from "../../src/api/grpc/list-bytes.js";
import { FailureKind, StillhouseError } from "../../src/errors.js";
import { type ExperimentRecord, withTasks } from "../../src/experiment/domain/record.js";
import { withResult } from "../../src/experiment/domain/resulted.js";
import {
  cancelExperiment,
  completeTask,
  leaseTask,
} from "../../src/experiment/domain/transitions.js";
import { Experiment, State, TaskResult } from "../../src/generated/stillhouse/v1/experiment.js";
import {
  ExperimentFilter,
  ExperimentOrder,
  ListExperimentsResponse,
} from "../../src/generated/stillhouse/v1/service.js";
import { SqliteExperimentStore } from "../../src/store/experiment-store.js";
import { openDatabase } from "../../src/store/schema.js";
import { NOW, plannedRecord, resolvedSpec } from "../fixtures/experiments.js";
import { afterwards, temporaryFolder } from "../fixtures/temporary-folder.js";

const NEWEST = ExperimentOrder.NEWEST_FIRST;
const OLDEST = ExperimentOrder.OLDEST_FIRST;
const BEST = ExperimentOrder.MOST_ACCURATE_FIRST;

interface Described {
  readonly id: string;
  readonly name?: string;
  readonly dataset?: string;
  readonly owner?: string;
  readonly sweepId?: string;
  readonly isCancelled?: boolean;
  readonly accuracy?: number;
}

function recordOf({ id, name, dataset, owner, sweepId, isCancelled, accuracy }: Described) {
  const spec = resolvedSpec();
  spec.name = name ?? "";
  spec.dataset = { ...spec.dataset, ...(dataset ? { name: dataset } : {}) } as typeof spec.dataset;
  let record: ExperimentRecord = plannedRecord(id, spec);
  const { experiment } = record;
  record = {
    ...record,
    experiment: { ...experiment, owner: owner ?? "", sweepId: sweepId ?? "" },
  };
  if (accuracy !== undefined) record = evaluated(record, accuracy);
  return isCancelled ? cancelExperiment(record, NOW) : record;
}

function evaluated(record: ExperimentRecord, accuracy: number): ExperimentRecord {
  const inits = [-0.1, 0.1].map((by, initSeed) => ({ initSeed, accuracy: accuracy + by }));
  const kind = { $case: "learners" as const, value: { inits } };
  const id = `${record.experiment.id}-evaluate`;
  const result = TaskResult.fromPartial({ kind });
  return withResult(completeTask(leaseTask(record, id, NOW), id, result, NOW), record);
}

function storeOf(test: TestContext, described: readonly Described[]): SqliteExperimentStore {
  const file = openDatabase(join(temporaryFolder(test), "stillhouse.db"));
  afterwards(test, () => file.close());
  const store = new SqliteExperimentStore(file);
  for (const one of described) {
    const record = recordOf(one);
    store.create({ record, tasks: record.tasks, events: [] }, "");
  }
  return store;
}

function pagesOf(
  store: SqliteExperimentStore,
  pageSize: number,
  filter: Partial<ExperimentFilter> = {},
  order = NEWEST,
): string[][] {
  const pages: string[][] = [];
  let pageToken = "";
  do {
    const query = { filter: ExperimentFilter.fromPartial(filter), order, pageSize, pageToken };
    const page = store.list(query);
    pages.push(page.records.map(({ experiment }) => experiment.id));
    pageToken = page.nextPageToken;
  } while (pageToken !== "");
  return pages;
}

describe("a list of experiments", () => {
  it("goes page by page, newest or oldest first", (test) => {
    const store = storeOf(
      test,
      [..."abcde"].map((id) => ({ id })),
    );
    assert.deepEqual(pagesOf(store, 2), [["e", "d"], ["c", "b"], ["a"]]);
    assert.deepEqual(pagesOf(store, 2, {}, OLDEST), [["a", "b"], ["c", "d"], ["e"]]);
    assert.deepEqual(pagesOf(store, 5), [["e", "d", "c", "b", "a"]]);
    assert.deepEqual(pagesOf(storeOf(test, []), 5), [[]]);
  });

  it("is given as bytes of the same experiments, with the same token", (test) => {
    const store = storeOf(test, [{ id: "a" }, { id: "b", accuracy: 0.8 }, { id: "c" }]);
    const filter = ExperimentFilter.fromPartial({});
    const query = { filter, order: OLDEST, pageSize: 2, pageToken: "" };
    const { records, nextPageToken } = store.list(query);
    const encoded = store.listEncoded(query);
    assert.deepEqual(
      encoded.experiments.map(({ bytes }) => Experiment.decode(bytes)),
      records.map(withTasks),
    );
    assert.deepEqual(
      encoded.experiments.map(({ id }) => id),
      ["a", "b"],
    );
    assert.equal(encoded.nextPageToken, nextPageToken);
    const response = { experiments: records.map(withTasks), nextPageToken };
    assert.deepEqual(ListExperimentsResponse.decode(listBytes(encoded)), response);
    const rest = store.listEncoded({ ...query, pageToken: nextPageToken });
    assert.equal(rest.nextPageToken, "");
  });

  it("orders by accuracy, equal ones newest first and those without one last", (test) => {
    const store = storeOf(test, [
      { id: "none" },
      { id: "low", accuracy: 0.3 },
      { id: "tie-1", accuracy: 0.8 },
      { id: "best", accuracy: 0.85 },
      { id: "tie-2", accuracy: 0.8 },
      { id: "none-2" },
    ]);
    const expected = ["best", "tie-2", "tie-1", "low", "none-2", "none"];
    for (const size of [1, 2, 3, 6]) {
      assert.deepEqual(pagesOf(store, size, {}, BEST).flat(), expected, `pages of ${size}`);
    }
  });

  it("returns the experiments that match every part of the filter", (test) => {
    const store = storeOf(test, [
      { id: "e1", owner: "ann", dataset: "sst2", name: "First Try" },
      { id: "e2", owner: "bob", dataset: "sst2", sweepId: "s1" },
      { id: "e3", owner: "ann", isCancelled: true, name: "100% ÄPFEL" },
      { id: "e4", owner: "ann", dataset: "sst2", sweepId: "s1", isCancelled: true },
    ]);
    const found = (filter: Partial<ExperimentFilter>) => pagesOf(store, 1, filter).flat();
    assert.deepEqual(found({ owner: "ann" }), ["e4", "e3", "e1"]);
    assert.deepEqual(found({ owner: "ann", dataset: "sst2" }), ["e4", "e1"]);
    assert.deepEqual(found({ sweepId: "s1" }), ["e4", "e2"]);
    assert.deepEqual(found({ model: "no such" }), []);
    assert.deepEqual(found({ states: [State.CANCELLED] }), ["e4", "e3"]);
    const both = [State.CANCELLED, State.QUEUED];
    assert.deepEqual(found({ states: both, dataset: "sst2" }), ["e4", "e2", "e1"]);
    assert.deepEqual(found({ text: "FIRST" }), ["e1"]);
    assert.deepEqual(found({ text: "äpf" }), ["e3"]);
    assert.deepEqual(found({ text: "0%" }), ["e3"]);
    assert.deepEqual(found({ text: "E" }), ["e4", "e3", "e2", "e1"]);
  });

  it("keeps its place when experiments come and go between two pages", (test) => {
    const store = storeOf(
      test,
      [..."abcd"].map((id) => ({ id })),
    );
    const query = { filter: ExperimentFilter.fromPartial({}), order: NEWEST, pageSize: 2 };
    const { nextPageToken } = store.list({ ...query, pageToken: "" });
    const later = recordOf({ id: "later" });
    store.create({ record: later, tasks: later.tasks, events: [] }, "");
    store.remove("c");
    const page = store.list({ ...query, pageToken: nextPageToken });
    assert.deepEqual(
      page.records.map(({ experiment }) => experiment.id),
      ["b", "a"],
    );
  });

  it("refuses a page token of another filter or order, or one that nobody gave out", (test) => {
    const store = storeOf(test, [{ id: "a" }, { id: "b" }]);
    const query = { filter: ExperimentFilter.fromPartial({}), order: NEWEST, pageSize: 1 };
    const { nextPageToken } = store.list({ ...query, pageToken: "" });
    const other = { filter: ExperimentFilter.fromPartial({ text: "a" }) };
    const wrong = [
      { ...query, ...other, pageToken: nextPageToken },
      { ...query, order: OLDEST, pageToken: nextPageToken },
      ...["-1", "x", "1 OR 1", "9".repeat(30), "bnVsbA"].map((pageToken) => ({
        ...query,
        pageToken,
      })),
    ];
    for (const one of wrong) {
      assert.throws(
        () => store.list(one),
        (error) => {
          assert.ok(error instanceof StillhouseError);
          assert.equal(error.kind, FailureKind.INVALID);
          assert.equal(error.field, "page_token");
          return true;
        },
      );
    }
  });
});
