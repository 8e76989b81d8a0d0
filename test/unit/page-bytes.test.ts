import assert from "node:assert/strict";
import { describe, type TestContext, test } from "node:test";
import { fittedExperiment } from "../../src/experiment/domain/fitted-experiment.js";
import { PAGE_BYTES, pageOf } from "../../src/experiment/domain/page-token.js";
import type { ExperimentRecord } from "../../src/experiment/domain/record.js";
import type { ExperimentQuery } from "../../src/experiment/domain/storage-ports.js";
import {
  Event,
  Experiment,
  InitResult,
  State,
  TaskResult,
} from "../../src/generated/stillhouse/v1/experiment.js";
import {
  ExperimentFilter,
  ExperimentOrder,
  ListExperimentsResponse,
  Sweep,
} from "../../src/generated/stillhouse/v1/service.js";
import { LocalStore } from "../../src/store/local-store.js";
import { plannedRecord } from "../fixtures/experiments.js";
import { temporaryFolder } from "../fixtures/temporary-folder.js";

const MIB = 1024 * 1024;

function openStore(test: TestContext): LocalStore {
  const store = LocalStore.open(temporaryFolder(test));
  test.after(() => store.close());
  return store;
}

/** An experiment whose results take about this many bytes. */
function largeRecord(id: string, numBytes: number): ExperimentRecord {
  const init = InitResult.fromPartial({ accuracy: 0.5, confusion: Array(10_000).fill(1) });
  const inits = Array<InitResult>(Math.ceil(numBytes / 10_000)).fill(init);
  const result = TaskResult.fromPartial({ kind: { $case: "learners", value: { inits } } });
  const planned = plannedRecord(id);
  const tasks = planned.tasks.map((entry, at) =>
    at === 1 ? { ...entry, task: { ...entry.task, state: State.SUCCEEDED, result } } : entry,
  );
  return { ...planned, tasks };
}

function store(store: LocalStore, record: ExperimentRecord): void {
  store.experiments.create({ record, tasks: record.tasks, events: [] }, "");
}

function query(pageToken: string): ExperimentQuery {
  const order = ExperimentOrder.OLDEST_FIRST;
  return { filter: ExperimentFilter.fromPartial({}), order, pageSize: 1000, pageToken };
}

describe("a page", () => {
  test("of experiments has bounded bytes, and every experiment is on one page, in order", (test) => {
    const local = openStore(test);
    const ids = Array.from({ length: 7 }, (_, at) => `ex${at}`);
    for (const id of ids) store(local, largeRecord(id, MIB));
    store(local, largeRecord("huge", 2 * PAGE_BYTES));
    const seen: string[] = [];
    let token = "";
    do {
      const page = local.experiments.listEncoded(query(token));
      const bytes = page.experiments.reduce((sum, entry) => sum + entry.bytes.length, 0);
      assert.ok(bytes <= PAGE_BYTES, `a page has ${bytes} bytes`);
      const read = local.experiments.list(query(token));
      assert.deepEqual(
        read.records.map(({ experiment }) => experiment.id),
        page.experiments.map(({ id }) => id),
      );
      seen.push(...page.experiments.map(({ id }) => id));
      token = page.nextPageToken;
    } while (token !== "");
    assert.deepEqual(seen, [...ids, "huge"]);
  });

  test("of sweeps and of lists in memory has bounded bytes, too", (test) => {
    const { sweeps } = openStore(test);
    for (const at of [1, 2, 3, 4, 5]) {
      sweeps.createSweep(Sweep.fromPartial({ id: `s${at}`, name: "x".repeat(MIB) }), "");
    }
    const first = sweeps.listSweeps(100, "");
    const rest = sweeps.listSweeps(100, first.nextPageToken);
    const ids = [first, rest].map((page) => page.sweeps.map(({ id }) => id));
    assert.deepEqual([first.sweeps.length, ids.flat()], [2, ["s5", "s4", "s3", "s2"]]);
    assert.notEqual(rest.nextPageToken, "");

    const entries = ["a", "b", "c"];
    const request = { pageSize: 0, pageToken: "" };
    const itself = (entry: string) => entry;
    const page = pageOf("list", entries, request, itself, () => 2 * MIB);
    assert.deepEqual(page.page, ["a"]);
    const next = pageOf(
      "list",
      entries,
      { ...request, pageToken: page.nextPageToken },
      itself,
      () => 9 * MIB,
    );
    assert.deepEqual(next.page, ["b"]);
  });

  test("of events has bounded bytes, and at least one event", (test) => {
    const { experiments } = openStore(test);
    const record = plannedRecord("ex1");
    const events = Array.from({ length: 5 }, () =>
      Event.fromPartial({ kind: { $case: "log", value: { message: "x".repeat(2 * MIB) } } }),
    );
    experiments.create({ record, tasks: record.tasks, events }, "");
    const sequences = (after: bigint) =>
      experiments.eventsAfter("ex1", after, 100).map(({ sequence }) => sequence);
    assert.deepEqual(sequences(0n), [1n, 2n]);
    assert.deepEqual(sequences(4n), [5n]);
    assert.deepEqual(sequences(5n), []);
  });
});

describe("an experiment that is larger than a page", () => {
  const experimentOf = ({ experiment, tasks }: ExperimentRecord): Experiment => ({
    ...experiment,
    tasks: tasks.map(({ task }) => task),
  });

  test("is listed with its accuracies, but without confusions", () => {
    const fitted = fittedExperiment(experimentOf(largeRecord("ex1", 2 * PAGE_BYTES)));
    const kind = fitted.tasks[1]?.result?.kind;
    assert.equal(kind?.$case === "learners" && kind.value.inits[5]?.accuracy, 0.5);
    const response = ListExperimentsResponse.fromPartial({ experiments: [fitted] });
    assert.ok(ListExperimentsResponse.encode(response).finish().length < PAGE_BYTES);
  });

  test("is listed without results where these alone are too large", () => {
    const planned = experimentOf(largeRecord("ex1", MIB));
    const environment = { torch: "x".repeat(MIB) };
    const inits = Array(200_000).fill(InitResult.fromPartial({ accuracy: 0.5, loss: 1 }));
    const result = TaskResult.fromPartial({
      environment,
      kind: { $case: "learners", value: { inits } },
    });
    const fitted = fittedExperiment({
      ...planned,
      tasks: planned.tasks.map((task) => ({ ...task, result })),
    });
    assert.ok(Experiment.encode(fitted).finish().length < PAGE_BYTES);
    assert.equal(fitted.tasks.length, planned.tasks.length);
  });

  test("of usual size is listed completely", () => {
    const small = experimentOf(largeRecord("ex1", 100_000));
    assert.equal(fittedExperiment(small), small);
  });
});
