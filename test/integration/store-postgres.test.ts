import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, type TestContext } from "node:test";
import { FailureKind } from "../../src/errors.js";
import { StorageFault } from "../../src/experiment/domain/storage-fault.js";
import { completeTask, leaseTask } from "../../src/experiment/domain/transitions.js";
import { Event, MetricPoint } from "../../src/generated/stillhouse/v1/experiment.js";
import {
  ExperimentFilter,
  ExperimentOrder,
  Sweep,
} from "../../src/generated/stillhouse/v1/service.js";
import { openHome } from "../../src/open-home.js";
import { backUpHome } from "../../src/store/backup.js";
import { homePaths, makeHome } from "../../src/store/home.js";
import { LocalStore } from "../../src/store/local-store.js";
import { postgresAddress } from "../../src/store/postgres/address.js";
import { Leadership } from "../../src/store/postgres/leadership.js";
import { SqliteWorkerIdStore } from "../../src/store/worker-id-store.js";
import { LEARNERS, NOW, plannedRecord } from "../fixtures/experiments.js";
import { fails } from "../fixtures/fails.js";
import { missingPostgres, PostgresServer } from "../fixtures/postgres.js";
import { afterwards, temporaryFolder } from "../fixtures/temporary-folder.js";
import { it, until } from "../fixtures/waiting.js";

const SILENT = { warn() {} };
const NEVER = new AbortController().signal;
const LEASE_MS = 20_000;
const TASK = "ex1-distill";
const END = Number.MAX_SAFE_INTEGER;

let server: PostgresServer;
const cleanUps: (() => unknown)[] = [];

function lead(
  address: string,
  home: string,
  { leaseMs = LEASE_MS, stop = NEVER, notes = [] as string[] } = {},
): Promise<Leadership> {
  const note = (sentence: string) => notes.push(sentence);
  return Leadership.stand({
    ...{ leaseMs, stop, note },
    address: postgresAddress(address),
    paths: makeHome(home),
  });
}

/** The two stores, which must give the same answers. */
class Both {
  readonly #stores: readonly LocalStore[];

  constructor(stores: readonly LocalStore[]) {
    this.#stores = stores;
  }

  same<Answer>(ask: (store: LocalStore) => Answer): Answer {
    const [sqlite, postgres] = this.#stores.map(ask);
    assert.deepEqual(postgres, sqlite);
    return sqlite as Answer;
  }
}

async function both(test: TestContext): Promise<Both> {
  const leadership = await lead(await server.database(), temporaryFolder(test));
  afterwards(test, () => leadership.release());
  const stores = [
    LocalStore.open(temporaryFolder(test), SILENT),
    LocalStore.open(temporaryFolder(test), SILENT, leadership.databases),
  ];
  for (const store of stores) afterwards(test, () => store.close());
  return new Both(stores);
}

function logOf(experimentId: string, message: string): Event {
  return Event.fromPartial({
    experimentId,
    time: NOW,
    kind: { $case: "log", value: { message } },
  });
}

function recordOf(id: string, change: { name?: string; owner?: string; sweepId?: string } = {}) {
  const record = plannedRecord(id);
  const { name = "", owner = "", sweepId = "" } = change;
  const spec = { ...record.experiment.spec, name } as typeof record.experiment.spec;
  return { ...record, experiment: { ...record.experiment, owner, sweepId, spec } };
}

function create(store: LocalStore, record: ReturnType<typeof recordOf>, requestId = "") {
  const events = [logOf(record.experiment.id, "made")];
  return store.experiments.create({ record, tasks: record.tasks, events }, requestId);
}

function pagesOf(store: LocalStore, filter: Partial<ExperimentFilter>, order: ExperimentOrder) {
  const pages: string[][] = [];
  for (let pageToken = "", isFirst = true; isFirst || pageToken !== ""; isFirst = false) {
    const query = { filter: ExperimentFilter.fromPartial(filter), order, pageSize: 3, pageToken };
    const page = store.experiments.list(query);
    const encoded = store.experiments.listEncoded(query).experiments.map(({ id }) => id);
    pages.push(page.records.map(({ experiment }) => experiment.id));
    assert.deepEqual(encoded, pages.at(-1));
    pageToken = page.nextPageToken;
  }
  return pages;
}

describe("a store on PostgreSQL", { skip: missingPostgres() ?? false }, () => {
  before(async () => {
    const scope: unknown = { after: (action: () => unknown) => cleanUps.push(action) };
    server = await PostgresServer.start(scope as TestContext);
  });
  after(async () => {
    for (const action of cleanUps.reverse()) await action();
  });

  it("keeps experiments as SQLite does: fields, requests, events, results, removal", async (test) => {
    const stores = await both(test);
    for (const id of ["ex1", "ex2", "ex3"]) {
      stores.same((store) => create(store, recordOf(id, { name: "Köln ♥ %_" }), `request ${id}`));
    }
    stores.same((store) => create(store, recordOf("ex0", { name: "a\0b" }), "request \0"));
    stores.same((store) => store.experiments.findByRequest("request \0", ""));
    assert.throws(() => stores.same((store) => create(store, recordOf("ex4"), "request ex1")));
    stores.same((store) => [store.experiments.has("ex4"), store.experiments.find("ex4")]);
    stores.same((store) => store.experiments.findByRequest("request ex2", ""));
    const id = "ex1-untrained";
    for (const of of ["ex1", "ex2"]) {
      const before = recordOf(of);
      const task = id.replace("ex1", of);
      const record = completeTask(leaseTask(before, task, NOW), task, LEARNERS, NOW);
      const events = [logOf(of, "a".repeat(5_000)), logOf(of, "b")];
      stores.same((store) => store.experiments.commit({ record, tasks: record.tasks, events }));
    }
    const found = stores.same((store) => store.experiments.find("ex1"));
    assert.ok(found);
    const key = found.tasks.find(({ task }) => task.id === id)?.task.cacheKey ?? "";
    const results = stores.same((store) => store.experiments.findResults(key));
    assert.equal(results.length, 2);
    stores.same((store) => store.experiments.keysWithResults([key, "other", key]));
    stores.same((store) => store.experiments.eventsAfter("ex1", 1n, 10));
    stores.same((store) => store.experiments.lastSequence("ex3"));
    stores.same(({ experiments: { queue } }) => [...queue.waiting()]);
    stores.same(({ experiments: { queue } }) => queue.taskCounts());
    stores.same(({ experiments: { queue } }) => queue.running());
    stores.same(({ experiments: { queue } }) => [...queue.awaitingKnown()].sort());
    stores.same(({ experiments: { queue } }) => ["ex1", "ex4"].map((id) => queue.standingOf(id)));
    const awaiting = stores.same(({ experiments: { queue } }) => queue.nextAwaiting(key, 0));
    assert.equal(awaiting?.experimentId, "ex3");
    stores.same(({ experiments: { queue } }) => queue.nextAwaiting(key, awaiting?.number ?? 0));
    stores.same((store) => store.experiments.remove("ex1"));
    stores.same((store) => store.experiments.leftovers());
    stores.same((store) => store.clearLeftovers());
    stores.same((store) => [store.experiments.has("ex1"), store.experiments.leftovers()]);
    stores.same((store) => store.assertWritable());
  });

  it("lists experiments and sweeps in the order of bytes, whatever the server's locale", async (test) => {
    const stores = await both(test);
    const names = ["b", "A", "a", "Ä", "z", "_", "B", "ß", "%"];
    names.forEach((name, at) => {
      const owner = at % 2 === 0 ? "anna" : "Bob";
      const sweepId = at < 4 ? "s1" : "";
      stores.same((store) => create(store, recordOf(`ex${at}`, { name, owner, sweepId })));
    });
    const sweep = Sweep.fromPartial({ id: "s1", name: "four", owner: "anna" });
    stores.same((store) => store.sweeps.createSweep(sweep, "request"));
    stores.same((store) => store.sweeps.findSweep("s1"));
    stores.same((store) => ["s1", "s2"].map((id) => store.sweeps.maxParallelOf(id)));
    stores.same((store) => store.sweeps.findSweepByRequest("request", "anna"));
    stores.same((store) => store.sweeps.listSweeps(3, ""));
    const filters = [{}, { owner: "anna" }, { sweepId: "s1" }, { text: "Ä" }, { text: "%" }];
    const states = recordOf("x").experiment.state;
    for (const filter of [...filters, { states: [states], text: "ex" }]) {
      for (const order of [
        ExperimentOrder.NEWEST_FIRST,
        ExperimentOrder.OLDEST_FIRST,
        ExperimentOrder.MOST_ACCURATE_FIRST,
      ]) {
        stores.same((store) => pagesOf(store, filter, order));
      }
    }
  });

  it("keeps metrics as SQLite does, replaced, late and unnumbered ones too", async (test) => {
    const stores = await both(test);
    stores.same((store) => create(store, recordOf("ex1")));
    let sequence = 0;
    const append = (attempt: number, first: number, count: number, stride: number) => {
      const points = Array.from({ length: count }, (_, at) => {
        sequence += 1;
        const step = first + at * stride;
        const value = step % 97 === 0 ? Number.NaN : ((step * 7919 + attempt) % 1013) / 8;
        const time = new Date(1_000 * sequence);
        const name = at % 5 === 0 ? "Loss" : "loss";
        return MetricPoint.fromPartial({
          ...{ sequence: BigInt(sequence), step: BigInt(step), name, value, time },
        });
      });
      stores.same((store) => store.metrics.appendMetrics(TASK, attempt, points));
    };
    append(1, 0, 900, 1);
    append(1, 900, 700, 3);
    append(2, 850, 300, 1);
    append(1, 1_100, 50, 1);
    stores.same((store) => store.metrics.summaries([TASK]));
    stores.same((store) => store.metrics.points(TASK, "loss", 90, 20));
    for (const maxPoints of [2, 9, 20, 300, 5_000]) {
      for (const [firstStep, lastStep] of [
        [0, END],
        [70, 1_500],
        [97, 97],
        [5_000, 6_000],
      ]) {
        const range = { firstStep: firstStep ?? 0, lastStep: lastStep ?? END, maxPoints };
        stores.same((store) => store.metrics.series([TASK], [], () => range));
      }
    }
  });

  it("keeps secrets, ids of workers and launches as SQLite does", async (test) => {
    const stores = await both(test);
    stores.same((store) => create(store, recordOf("ex1")));
    for (const byte of [1, 255]) {
      const sha256 = new Uint8Array(32).fill(byte);
      stores.same((store) => store.leases.keepSecret(TASK, 1, sha256));
    }
    stores.same((store) => {
      const secret = store.leases.findSecret(TASK, 1);
      return [secret && [...secret], store.leases.findSecret(TASK, 2)];
    });
    for (const key of ["old", "new"]) {
      stores.same((store) => store.workerIds.claim("w", key, NOW));
      stores.same((store) => store.workerIds.ownerOf("w"));
    }
    const launch = { pool: "p", device: "cuda", numDevices: 2, memoryBytes: 2 ** 40 };
    for (const launchId of ["b", "a", "c"]) {
      stores.same((store) => store.launches.add({ launchId, ...launch }));
    }
    stores.same((store) => store.launches.remove("a"));
    stores.same((store) => store.launches.all());
  });

  it("frees the oldest ids of a key that has too many workers", async (test) => {
    const leadership = await lead(await server.database(), temporaryFolder(test));
    afterwards(test, () => leadership.release());
    const ids = new SqliteWorkerIdStore(leadership.databases.main, 3);
    for (const at of [0, 1, 2, 3, 4]) ids.claim(`w${at}`, "key", new Date(1_000 * at));
    const owners = [0, 1, 2, 3, 4].map((at) => ids.ownerOf(`w${at}`));
    assert.deepEqual(owners, [undefined, undefined, "key", "key", "key"]);
  });

  it("lets one lead at a time; a leader of the past stores nothing", async (test) => {
    const [address, home] = [await server.database(), temporaryFolder(test)];
    const first = await lead(address, home, { leaseMs: 2_000 });
    afterwards(test, () => first.release());
    const store = LocalStore.open(home, SILENT, first.databases);
    create(store, recordOf("ex1"));
    const notes: string[] = [];
    // The first one renews nothing, as one that is paused.
    const second = await lead(address, home, { notes });
    afterwards(test, () => second.release());
    assert.equal(notes.length, 1);
    assert.match(
      notes[0] ?? "",
      /process \d+ leads on postgres:\/\/stillhouse@127.*; this control plane stands by$/,
    );
    for (const late of [
      () => create(store, recordOf("ex2")),
      () => store.leases.keepSecret(TASK, 1, new Uint8Array(32)),
      () => store.metrics.appendMetrics(TASK, 1, [MetricPoint.fromPartial({ name: "loss" })]),
      () => store.assertWritable(),
      () => first.renew(),
    ]) {
      assert.throws(late, (error) => {
        assert.ok(error instanceof StorageFault && error.isLasting, String(error));
        assert.match(error.message, /another control plane leads on postgres:/);
        return true;
      });
    }
    const followed = LocalStore.open(home, SILENT, second.databases);
    assert.deepEqual(
      [followed.experiments.has("ex1"), followed.experiments.has("ex2")],
      [true, false],
    );
    first.release();
    second.renew();
    second.release();
    // It gave its lease back, which has 20 s left.
    const third = await lead(address, home);
    third.release();
  });

  it("ends a wait for the lease when it is told to", async (test) => {
    const [address, home] = [await server.database(), temporaryFolder(test)];
    const first = await lead(address, home);
    afterwards(test, () => first.release());
    const stopping = new AbortController();
    const notes: string[] = [];
    const waiting = lead(address, home, { stop: stopping.signal, notes });
    await until(() => notes.length > 0);
    const reason = new Error("enough");
    stopping.abort(reason);
    await assert.rejects(waiting, (error) => error === reason);
  });

  it("goes on when the server was away, and knows what became of a lost commit", async (test) => {
    const [address, home] = [await server.database(), temporaryFolder(test)];
    const leadership = await lead(address, home);
    afterwards(test, () => leadership.release());
    const store = LocalStore.open(home, SILENT, leadership.databases);
    create(store, recordOf("ex1"));
    await server.crash();
    assert.throws(
      () => create(store, recordOf("ex2")),
      (error) => {
        assert.ok(error instanceof StorageFault && error.retryable && !error.isLasting);
        return true;
      },
    );
    await server.resume();
    await until(() => isWritable(store));
    assert.deepEqual([store.experiments.has("ex1"), store.experiments.has("ex2")], [true, false]);
    create(store, recordOf("ex2"));
    const { main } = leadership.databases;
    const pid = () => main.get<{ pid: number }>("SELECT pg_backend_pid() AS pid")?.pid;
    const before = pid();
    // The connection breaks within a transaction: nothing of it is stored, also by the next one.
    assert.throws(() =>
      main.transaction(() => {
        create(store, recordOf("ex3"));
        main.get("SELECT pg_terminate_backend(pg_backend_pid())");
        create(store, recordOf("ex4"));
      }),
    );
    await until(() => isWritable(store));
    assert.notEqual(pid(), before);
    assert.deepEqual(
      ["ex2", "ex3", "ex4"].map((id) => store.experiments.has(id)),
      [true, false, false],
    );
  });

  it("learns that a change was stored whose answer was lost with the connection", async (test) => {
    const [address, home] = [await server.database(), temporaryFolder(test)];
    const leadership = await lead(address, home);
    afterwards(test, () => leadership.release());
    const store = LocalStore.open(home, SILENT, leadership.databases);
    // A commit that is on the disk waits for a replica that never comes.
    await server.configure("synchronous_standby_names", "nobody");
    const cutting = server.ask(`DO $$ BEGIN LOOP
      PERFORM pg_stat_clear_snapshot();
      PERFORM pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep';
      EXIT WHEN FOUND;
      PERFORM pg_sleep(0.02);
    END LOOP; END $$`);
    create(store, recordOf("ex1"), "request");
    await cutting;
    await server.configure("synchronous_standby_names", "");
    assert.equal(store.experiments.findByRequest("request", "")?.experiment.id, "ex1");
    assert.equal(store.experiments.lastSequence("ex1"), 1n, "it is stored once");
    // One that breaks off before it is on the disk is not stored.
    leadership.databases.main.exec(`
      CREATE FUNCTION break_off() RETURNS trigger LANGUAGE plpgsql AS
        'BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NULL; END';
      CREATE CONSTRAINT TRIGGER at_commit AFTER INSERT ON experiments
        DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION break_off();`);
    assert.throws(
      () => create(store, recordOf("ex2")),
      (error) => error instanceof StorageFault && error.retryable && !error.isLasting,
    );
    assert.equal(store.experiments.has("ex2"), false);
  });

  it("refuses homes and databases that do not belong together", async (test) => {
    const [address, home] = [await server.database(), temporaryFolder(test)];
    (await lead(address, home)).release();
    const other = temporaryFolder(test);
    const refused = (reason: RegExp) => fails(FailureKind.ENVIRONMENT, reason);
    await assert.rejects(lead(address, other), refused(/belongs to another home folder than/));
    const empty = await server.database();
    await assert.rejects(lead(empty, home), refused(/belongs to another database than/));
    LocalStore.open(other, SILENT).close();
    await assert.rejects(lead(address, other), refused(/are in its stillhouse.db/));
    await assert.rejects(
      openHome(home, () => {}),
      refused(/are in PostgreSQL: name .* --server/),
    );
    const file = join(other, "backup.tar");
    const backup = backUpHome(home, file, { overwrites: false, signal: NEVER });
    await assert.rejects(backup, refused(/pg_dump/));
    assert.equal(existsSync(homePaths(home).database), false);
    const missing = address.replace(/test\d+$/, "nothing");
    await assert.rejects(
      lead(missing, home),
      refused(/nothing does not exist: create it with createdb/),
    );
    const nobody = address.replace(/:\d+/, ":1");
    await assert.rejects(lead(nobody, home), refused(/cannot be reached: connect ECONNREFUSED/));
  });
});

function isWritable(store: LocalStore): boolean {
  try {
    store.assertWritable();
    return true;
  } catch {
    return false;
  }
}
