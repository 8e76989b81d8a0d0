import assert from "node:assert/strict";
import { createServer } from "node:net";
import { describe, type TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { ControlPlaneOptions } from "../../src/control-plane.js";
import { State } from "../../src/generated/stillhouse/v1/experiment.js";
import type { TaskReport } from "../../src/generated/stillhouse/v1/worker.js";
import { trackingAddress } from "../../src/mlflow/tracking-address.js";
import { resolvedSpec } from "../fixtures/experiments.js";
import { freePort } from "../fixtures/free-port.js";
import { MlflowServer } from "../fixtures/mlflow-server.js";
import { MlflowReader, MlflowStandIn } from "../fixtures/mlflow-stand-in.js";
import { afterwards, temporaryFolder } from "../fixtures/temporary-folder.js";
import { it, until } from "../fixtures/waiting.js";
import { TestPlane } from "./test-plane.js";
import type { TestWorker } from "./test-worker.js";

const NUM_POINTS = 2_300;

function spec(seed = 7) {
  const resolved = resolvedSpec();
  const baseline = { ...resolved.baseline, random: false, untrained: false };
  return { ...resolved, name: "copied", seed, baseline } as typeof resolved;
}

function points(steps: readonly number[]): NonNullable<TaskReport["kind"]> {
  const all = steps.map((step) => ({
    sequence: BigInt(step),
    name: "outer_loss",
    step: BigInt(step),
    value: step === 5 ? Number.NaN : 1 / step,
    time: new Date(1_000 * step),
  }));
  return { $case: "metrics", value: { points: all } };
}

const ALL_STEPS = Array.from({ length: NUM_POINTS }, (_, index) => index + 1);

function planeFor(test: TestContext, port: number, options: Partial<ControlPlaneOptions> = {}) {
  const mlflow = trackingAddress(`http://127.0.0.1:${port}`, undefined);
  return TestPlane.start(test, { mlflow, ...options });
}

/** An experiment whose distillation reports points. */
async function runWith(plane: TestPlane, worker: TestWorker, seed = 7): Promise<string> {
  const { id, tasks } = await plane.client.create(spec(seed), "");
  const assign = await worker.nextTask();
  await worker.reported(assign, points(ALL_STEPS));
  await worker.finish(assign);
  // Full data is done already where another seed has it.
  for (const _ of tasks.filter(({ reused }) => !reused).slice(1)) await worker.finishNext();
  const { state } = await plane.ended(id);
  assert.equal(state, State.SUCCEEDED);
  return id;
}

async function hasPoints(reader: MlflowReader, count: number): Promise<void> {
  await until(async () => {
    const [run] = await reader.runs();
    const told = run && (await reader.points(run.id, "distill/outer_loss"));
    return told?.length === count;
  });
}

/** The Python of an environment with MLflow, which is large: the tests run without it as well. */
const PYTHON = process.env.STILLHOUSE_TEST_MLFLOW;

async function startMlflow(test: TestContext, port: number): Promise<void> {
  const server = new MlflowServer(PYTHON ?? "", temporaryFolder(test));
  afterwards(test, () => server.stop());
  await server.start(port);
}

const SERVERS = [
  ["a stand-in for MLflow", false, MlflowStandIn.start],
  ["MLflow itself", PYTHON ? false : "STILLHOUSE_TEST_MLFLOW names no Python with it", startMlflow],
] as const;

for (const [name, skip, start] of SERVERS) {
  describe(`the export to ${name}`, { skip }, () => {
    it("exports an experiment as a run: settings, every point, results and its end", async (test) => {
      const port = await freePort();
      await start(test, port);
      const plane = await planeFor(test, port);
      const id = await runWith(plane, await plane.worker());
      await plane.stop();
      const reader = new MlflowReader(port);
      const [run, ...others] = await reader.runs();
      assert.ok(run);
      assert.deepEqual(others, []);
      assert.equal(run.name, "copied");
      assert.equal(run.status, "FINISHED");
      assert.equal(run.tags["stillhouse.experiment"], id);
      assert.equal(run.params.seed, "7");
      assert.equal(run.params["distilled.labels"], "none");
      const told = await reader.points(run.id, "distill/outer_loss");
      assert.deepEqual(
        told.map(({ step, timestamp }) => [step, timestamp]),
        ALL_STEPS.map((step) => [step, 1_000 * step]),
      );
      const values = told.map(({ value }) => Number(value));
      assert.ok(Number.isNaN(values[4]));
      assert.equal(values[9], 0.1);
      for (const [key, value] of [
        ["test/accuracy_mean", 0.9],
        ["test/full_accuracy_mean", 0.9],
        ["test/ratio_to_full", 1],
      ] as const) {
        const [result] = await reader.points(run.id, key);
        assert.ok(Math.abs(Number(result?.value) - value) < 1e-12, key);
      }
    });

    it("sends a server that was away what it missed", async (test) => {
      const port = await freePort();
      const plane = await planeFor(test, port);
      await runWith(plane, await plane.worker());
      await until(async () => plane.warnings[0]);
      assert.match(
        plane.warnings.join(),
        /MLflow at 127.0.0.1:\d+ gets nothing for now \(ECONNREFUSED\)/,
      );
      await start(test, port);
      const reader = new MlflowReader(port);
      const run = await until(async () =>
        (await reader.runs()).find(({ status }) => status === "FINISHED"),
      );
      const told = await reader.points(run.id, "distill/outer_loss");
      assert.equal(told.length, NUM_POINTS);
      assert.equal(plane.warnings.length, 1);
    });

    it("sends points that come late, after those of later steps", async (test) => {
      const port = await freePort();
      await start(test, port);
      const plane = await planeFor(test, port);
      const worker = await plane.worker();
      await plane.client.create(spec(), "");
      const assign = await worker.nextTask();
      await worker.reported(assign, points(ALL_STEPS.slice(10, 20)));
      const reader = new MlflowReader(port);
      await hasPoints(reader, 10);
      await worker.reported(assign, points(ALL_STEPS.slice(0, 10)));
      await hasPoints(reader, 20);
    });

    it("continues the same run after a restart, without duplicates", async (test) => {
      const port = await freePort();
      await start(test, port);
      const first = await planeFor(test, port);
      const worker = await first.worker("w");
      const { id } = await first.client.create(spec(), "");
      const assign = await worker.nextTask();
      await worker.reported(assign, points(ALL_STEPS.slice(0, 100)));
      const reader = new MlflowReader(port);
      await hasPoints(reader, 100);
      const stopped = first.stop();
      await worker.next("cancel");
      await worker.report(assign, { $case: "stopped", value: { time: undefined } });
      await stopped;
      const second = await planeFor(test, port, { home: first.home });
      const other = await second.worker("other");
      const again = await other.nextTask();
      await other.reported(again, points(ALL_STEPS.slice(100, 150)));
      await other.finish(again);
      await other.finishNext();
      await other.finishNext();
      await second.ended(id);
      await second.stop();
      const runs = await reader.runs();
      assert.deepEqual(
        runs.map(({ status }) => status),
        ["FINISHED"],
      );
      const told = await reader.points(runs[0]?.id ?? "", "distill/outer_loss");
      assert.deepEqual(
        told.map(({ step }) => step),
        ALL_STEPS.slice(0, 150),
      );
    });
  });
}

describe("an unusable MLflow server", () => {
  it("that never answers affects no experiment and delays no stop", async (test) => {
    const deaf = createServer(() => undefined).listen(0, "127.0.0.1");
    test.after(() => deaf.close());
    await new Promise((resolve) => deaf.once("listening", resolve));
    const address = deaf.address();
    assert.ok(typeof address === "object" && address !== null);
    const plane = await planeFor(test, address.port);
    const id = await runWith(plane, await plane.worker());
    await sleep(2_500);
    const start = performance.now();
    await plane.stop();
    assert.ok(performance.now() - start < 9_000);
    assert.match(plane.warnings.join(), new RegExp(`did not get all of ${id}`));
  });

  it("that refuses an experiment is reported once, and gets the others", async (test) => {
    const port = await freePort();
    const server = await MlflowStandIn.start(test, port);
    server.refuse(400, "INVALID_PARAMETER_VALUE", "no such thing");
    const plane = await planeFor(test, port);
    const worker = await plane.worker();
    const id = await runWith(plane, worker);
    await until(async () => plane.warnings[0]);
    server.refusal = undefined;
    await runWith(plane, worker, 8);
    await plane.stop();
    const warning = `MLflow at 127.0.0.1:${port} does not take experiment ${id}: INVALID_PARAMETER_VALUE: no such thing`;
    assert.ok(plane.warnings.includes(warning), plane.warnings.join("\n"));
    const runs = await new MlflowReader(port).runs();
    assert.ok(runs.some(({ status }) => status === "FINISHED"));
  });
});

describe("the address of an MLflow server", () => {
  it("may contain credentials, which are sent", async (test) => {
    const port = await freePort();
    const server = await MlflowStandIn.start(test, port);
    for (const [address, token, expected] of [
      [`http://ann:p%40ss@127.0.0.1:${port}/`, undefined, `Basic ${btoa("ann:p@ss")}`],
      [`http://127.0.0.1:${port}`, "secret", "Bearer secret"],
    ] as const) {
      const plane = await TestPlane.start(test, { mlflow: trackingAddress(address, token) });
      await plane.client.create(spec(), "");
      await until(async () => server.credentials.find((each) => each === expected));
      await plane.stop();
      assert.doesNotMatch(plane.warnings.join(), /p@ss|p%40ss|secret/);
    }
  });

  it("is refused where it is not a URL", () => {
    for (const text of ["sqlite:///mlflow.db", "localhost:5000", "no address"]) {
      assert.throws(() => trackingAddress(text, undefined), {
        message: `STILLHOUSE_MLFLOW must be an address such as http://127.0.0.1:5000, got ${JSON.stringify(text)}`,
      });
    }
  });
});
