import assert from "node:assert/strict";
import { after, before, describe, type TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { StillhouseClient } from "../../src/api/client.js";
import { type Experiment, State } from "../../src/generated/stillhouse/v1/experiment.js";
import type { ExperimentSpec } from "../../src/generated/stillhouse/v1/spec.js";
import { SqlFile } from "../../src/store/database.js";
import { homePaths } from "../../src/store/home.js";
import { postgresAddress } from "../../src/store/postgres/address.js";
import { PostgresDatabase } from "../../src/store/postgres/database.js";
import { PostgresLink } from "../../src/store/postgres/link.js";
import type { SqlDatabase } from "../../src/store/sql-database.js";
import { compareOutcomes, type Outcome, outcomeOf } from "../chaos/outcome.js";
import { TcpProxy } from "../chaos/tcp-proxy.js";
import { tinySpec } from "../chaos/tiny-spec.js";
import { RunningCommand } from "../fixtures/command.js";
import { freePort } from "../fixtures/free-port.js";
import { missingPostgres, PostgresServer } from "../fixtures/postgres.js";
import { PythonWorker } from "../fixtures/python-worker.js";
import { afterwards, temporaryFolder } from "../fixtures/temporary-folder.js";
import { PYTHON } from "../fixtures/tiny.js";
import { it, until } from "../fixtures/waiting.js";
import { TestPlane } from "./test-plane.js";

const OUTER_STEPS = 120;
/** In the middle of the first of two distillations, and after its first checkpoint. */
const MIDDLE = 30;
const LEASE_S = 5;
const SEEDS = [7, 8];

interface Ports {
  readonly grpc: number;
  readonly worker: number;
}

let server: PostgresServer;
let specs: ExperimentSpec[];
let calm: Outcome[];
const cleanUps: (() => unknown)[] = [];

async function freePorts(): Promise<Ports> {
  return { grpc: await freePort(), worker: await freePort() };
}

/** Control planes on one database and one home, and a worker that stays. */
class Cluster {
  readonly home: string;
  readonly #test: TestContext;
  readonly store: string;

  private constructor(test: TestContext, store: string) {
    this.#test = test;
    this.store = store;
    this.home = temporaryFolder(test);
  }

  static async open(test: TestContext): Promise<Cluster> {
    return new Cluster(test, await server.database());
  }

  plane({ grpc, worker }: Ports): RunningCommand {
    const flags = ["--grpc-port", grpc, "--worker-port", worker, "--http-port", 0, "--workers", 0];
    const store = ["--store", this.store, "--leader-lease", LEASE_S, "--json"];
    const args = [...flags, ...store].map(String);
    const plane = new RunningCommand(args, this.home, "serve");
    afterwards(this.#test, async () => {
      plane.signal("SIGKILL");
      await plane.ended;
    });
    return plane;
  }

  client(address: string): StillhouseClient {
    const client = new StillhouseClient(address);
    afterwards(this.#test, () => client.close());
    return client;
  }

  worker(address: string, grpc: string): void {
    new PythonWorker(this.#test, "one", `tcp://${address}`, ["--grpc", grpc]);
  }

  /** A number that is asked of the database itself, whichever control plane leads. */
  async number(sql: string): Promise<number> {
    const name = new URL(this.store).pathname.slice(1);
    return Number(await server.ask(sql, name).catch(() => "0"));
  }

  async reaches(step: number): Promise<void> {
    const sql =
      "SELECT coalesce(max(greatest_step), 0) FROM metric_series WHERE name = 'outer_loss'";
    await until(async () => (await this.number(sql)) >= step);
  }

  /** Waits for the end of all; what each left must be what it left without a fault. */
  async check(client: StillhouseClient, ids: readonly string[]): Promise<void> {
    const all = SEEDS.length;
    await until(async () => {
      return (await this.number("SELECT count(*) FROM experiments WHERE is_ended = 1")) === all;
    });
    const { connectionString, name } = postgresAddress(this.store);
    const link = new PostgresLink({ connectionString, idleTransactionMs: 60_000 });
    try {
      const database = new PostgresDatabase(name, link);
      for (const [at, id] of ids.entries()) {
        const { experiment } = await client.get(id);
        same(outcomeAt(at), outcomeIn(experiment, this.home, database));
      }
    } finally {
      link.close();
    }
    const { experiments } = await client.list(10, "");
    assert.deepEqual(experiments.map(({ id }) => id).sort(), [...ids].sort());
  }
}

async function leads(plane: RunningCommand): Promise<void> {
  while (!plane.stdout.includes("\n")) {
    assert.equal(plane.child.exitCode, null, plane.stderr);
    await sleep(20);
  }
}

function outcomeIn(experiment: Experiment, home: string, database: SqlDatabase): Outcome {
  assert.equal(experiment.state, State.SUCCEEDED, experiment.failure?.message);
  return outcomeOf(experiment, homePaths(home).artifacts, database);
}

function outcomeAt(index: number): Outcome {
  const outcome = calm[index];
  assert.ok(outcome);
  return outcome;
}

function same(expected: Outcome, found: Outcome): void {
  const difference = { isEqual: true, series: [], lost: 0, duplicated: 0 };
  assert.deepEqual(compareOutcomes(expected, found), difference);
}

async function created(client: StillhouseClient): Promise<string[]> {
  const ids: string[] = [];
  for (const [at, spec] of specs.entries()) {
    ids.push((await client.create(spec, `request ${at}`)).id);
  }
  return ids;
}

/** What the experiments leave on SQLite when nothing goes wrong. */
async function runCalmly(test: TestContext): Promise<void> {
  const plane = await TestPlane.start(test, { pythonPath: PYTHON });
  const spec = await tinySpec(plane.client, OUTER_STEPS);
  specs = SEEDS.map((seed) => ({ ...spec, seed }));
  new PythonWorker(test, "one", plane.plane.workerAddress);
  const ids = await created(plane.client);
  const ended: Experiment[] = [];
  for (const id of ids) ended.push(await plane.ended(id));
  await plane.stop();
  const file = new SqlFile(homePaths(plane.home).database);
  calm = ended.map((experiment) => outcomeIn(experiment, plane.home, file));
  file.close();
}

describe("control planes on PostgreSQL", { skip: missingPostgres() ?? false }, () => {
  before(async () => {
    const scope: unknown = { after: (action: () => unknown) => cleanUps.push(action) };
    server = await PostgresServer.start(scope as TestContext);
    await runCalmly(scope as TestContext);
  });
  after(async () => {
    for (const action of cleanUps.reverse()) await action();
  });

  it("a standby takes over the ports and the work of a leader that is killed", async (test) => {
    const cluster = await Cluster.open(test);
    const ports = await freePorts();
    const [grpc, zmq] = [`127.0.0.1:${ports.grpc}`, `127.0.0.1:${ports.worker}`];
    const first = cluster.plane(ports);
    await leads(first);
    const second = cluster.plane(ports);
    await second.sees(/process \d+ leads on postgres:.*; this control plane stands by/);
    const client = cluster.client(grpc);
    cluster.worker(zmq, grpc);
    const ids = await created(client);
    await cluster.reaches(MIDDLE);
    first.signal("SIGKILL");
    await leads(second);
    const again = cluster.client(grpc);
    // The same requests: nothing that was accepted is made again.
    assert.deepEqual(await created(again), ids);
    await cluster.check(again, ids);
    const { experiment } = await again.get(ids[0] ?? "");
    assert.equal(experiment.tasks[0]?.attempt, 1, "the worker kept its task");
    second.signal("SIGTERM");
    assert.equal((await second.ended).exitCode, 0);
  });

  it("a leader that was paused while another took over stores nothing more, and ends", async (test) => {
    const cluster = await Cluster.open(test);
    const [one, two] = [await freePorts(), await freePorts()];
    const [calls, workers] = [await TcpProxy.listen(), await TcpProxy.listen()];
    for (const proxy of [calls, workers]) afterwards(test, () => proxy.close());
    const point = ({ grpc, worker }: Ports) => {
      calls.pointTo(grpc);
      workers.pointTo(worker);
    };
    const first = cluster.plane(one);
    await leads(first);
    point(one);
    cluster.worker(workers.address, calls.address);
    const ids = await created(cluster.client(calls.address));
    const second = cluster.plane(two);
    await second.sees(/stands by/);
    await cluster.reaches(MIDDLE);
    first.signal("SIGSTOP");
    await leads(second);
    point(two);
    await cluster.reaches(MIDDLE + 1);
    first.signal("SIGCONT");
    const { exitCode, stderr } = await first.ended;
    assert.equal(exitCode, 1, stderr);
    assert.match(stderr, /another control plane leads on postgres:.* start it again to stand by/);
    await cluster.check(cluster.client(calls.address), ids);
  });

  it("a leader goes on after a restart of the database in the middle of its work", async (test) => {
    const cluster = await Cluster.open(test);
    const ports = await freePorts();
    const grpc = `127.0.0.1:${ports.grpc}`;
    const plane = cluster.plane(ports);
    await leads(plane);
    const client = cluster.client(grpc);
    cluster.worker(`127.0.0.1:${ports.worker}`, grpc);
    const ids = await created(client);
    await cluster.reaches(MIDDLE);
    await server.crash();
    await assert.rejects(client.create({ ...specs[0], seed: 99 } as ExperimentSpec, ""));
    await server.resume();
    await cluster.check(client, ids);
    assert.equal(plane.child.exitCode, null, plane.stderr);
  });
});
