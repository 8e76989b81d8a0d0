import { chmodSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { StillhouseClient } from "../../src/api/client.js";
import {
  type ControlPlane,
  type ControlPlaneOptions,
  openHome,
  startControlPlane,
} from "../../src/control-plane.js";
import type { Log } from "../../src/experiment/domain/ports.js";
import type { Timings } from "../../src/experiment/scheduling/leases.js";
import type { Event, Experiment, State } from "../../src/generated/stillhouse/v1/experiment.js";
import { readPartyKeys } from "../../src/security/keys/read-keys.js";
import { afterwards, temporaryFolder } from "../fixtures/temporary-folder.js";
import { until } from "../fixtures/waiting.js";
import { TestWorker } from "./test-worker.js";

/** Short enough for a test, long enough for a busy machine. */
export const QUICK: Partial<Timings> = {
  heartbeatIntervalMs: 50,
  // No test waits for a lease to run out unless it says so, however busy the machine is.
  leaseMs: 600_000,
  stopGraceMs: 2_000,
  retryBackOffMs: 20,
  tickMs: 50,
};

const WORKER = fileURLToPath(new URL("test-worker.ts", import.meta.url));

/** A control plane on a home of its own, with a client. */
export class TestPlane {
  readonly home: string;
  readonly plane: ControlPlane;
  readonly client: StillhouseClient;
  /** What the control plane logged at level warning or above. */
  readonly warnings: string[];
  readonly #test: TestContext;

  private constructor(test: TestContext, home: string, plane: ControlPlane, warnings: string[]) {
    this.#test = test;
    this.home = home;
    this.plane = plane;
    const { address, clientKeys } = plane;
    this.client = new StillhouseClient({ address, ...readPartyKeys(clientKeys) });
    this.warnings = warnings;
  }

  static async start(
    test: TestContext,
    options: Partial<ControlPlaneOptions> = {},
  ): Promise<TestPlane> {
    const home = options.home ?? temporaryFolder(test);
    const opened = await openHome(home, console.error);
    if (opened.kind !== "owner") throw new Error("the home of a test has another owner");
    const warnings: string[] = [];
    const plane = await startControlPlane({
      home,
      lock: opened.lock,
      pythonPath: join(home, "no-python"),
      env: process.env,
      numWorkers: 0,
      log: logTo(warnings),
      ...options,
      timings: { ...QUICK, ...options.timings },
    });
    const started = new TestPlane(test, home, plane, warnings);
    afterwards(test, () => started.stop());
    return started;
  }

  async stop(): Promise<void> {
    this.client.close();
    await this.plane.stop();
  }

  async worker(id = "tester"): Promise<TestWorker> {
    const worker = await TestWorker.connected(this.#addresses, id);
    afterwards(this.#test, () => worker.close());
    return worker;
  }

  /** A worker that has not said hello. */
  rawWorker(id: string): TestWorker {
    const worker = new TestWorker(this.#addresses, id);
    afterwards(this.#test, () => worker.close());
    return worker;
  }

  get #addresses() {
    const keys = join(this.home, "session", "worker");
    return { zmq: this.plane.workerAddress, grpc: this.plane.address, keys };
  }

  async experiment(id: string): Promise<Experiment> {
    const { experiment } = await this.client.get(id);
    if (!experiment) throw new Error("there is no experiment");
    return experiment;
  }

  /** The experiment once it has come to an end. */
  async ended(id: string): Promise<Experiment> {
    for await (const _ of this.client.watch(id, 0n)) {
      // The watch ends with the experiment.
    }
    return this.experiment(id);
  }

  /** Why a pool asks its engine for nothing, once it says so. */
  poolFault(pool: string): Promise<string> {
    return until(async () => (await this.client.pools()).find(({ name }) => name === pool)?.fault);
  }

  /** Waits for an event: a stored one, or a live one from now on. */
  async seen(id: string, isIt: (event: Event) => boolean): Promise<Event> {
    for await (const event of this.client.watch(id, 0n)) if (isIt(event)) return event;
    throw new Error("the experiment ended before that happened");
  }
}

/** An executable that stands in for Python and starts a test worker, with steps of 20 ms each. */
export function workerCommand(test: TestContext, steps: number): string {
  const path = join(temporaryFolder(test), "python");
  const node = `TEST_WORKER_STEPS=${steps} exec "${process.execPath}" --import tsx`;
  writeFileSync(path, `#!/bin/sh\n${node} "${WORKER}" "$@"\n`);
  chmodSync(path, 0o755);
  return path;
}

export function states(experiment: Experiment): Record<string, string> {
  const word = (state: State) => state.replace("STATE_", "").toLowerCase();
  return Object.fromEntries(
    experiment.tasks.map(({ id, state }) => [id.split("-").at(-1) ?? "", word(state)]),
  );
}

export function hasState(name: string, state: State) {
  return ({ kind }: Event) =>
    kind?.$case === "task" && kind.value.id.endsWith(name) && kind.value.state === state;
}

function logTo(warnings: string[]): Log {
  const keep = (message: string) => warnings.push(message);
  return { debug: () => {}, info: () => {}, warn: keep, error: keep };
}
