import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { StillhouseClient } from "../../../src/api/client.js";
import { type Addresses, TestWorker } from "../../integration/test-worker.js";
import { storeFor, storeOf } from "./bench-store.js";

const PLANE = fileURLToPath(new URL("../../fixtures/plane-process.mjs", import.meta.url));
/** As of real workers under the default timings. */
const HEARTBEAT_INTERVAL_MS = 2_000;
/** Number of streams that share a connection. */
const CALLS_PER_CLIENT = 25;
const LOG_CHARACTERS = 4_000;

export interface Usage {
  /** Processor seconds of all threads since the start of the process. */
  readonly cpuS: number;
  readonly rssBytes: number;
  /** Memory of reachable objects where `collects` is set, else of all that is not collected yet. */
  readonly heldBytes: number;
  /** Longest time since its start in which it handled no call, timer or signal. */
  readonly longestBlockMs: number;
}

interface PlaneAddresses extends Addresses {
  readonly http: string;
}

export interface PlaneSettings {
  readonly python?: string;
  readonly numWorkers?: number;
  /** Whether it answers over HTTP too. */
  readonly http?: boolean;
  /** Whether garbage is collected before memory is measured. */
  readonly collects?: boolean;
  /** Whether its log is kept in `log` instead of shown. */
  readonly keepsLog?: boolean;
  /** Where workers connect; absent: anywhere. */
  readonly workerPort?: number;
  /** Fills the new home before the control plane opens it. */
  readonly prepare?: (home: string) => void | Promise<void>;
}

/** A control plane in a process of its own, on a home of its own, with simulated workers. */
export class MeasuredPlane {
  client: StillhouseClient;
  /** The end of the log, where `keepsLog` is set. */
  log = "";
  #addresses: PlaneAddresses;
  #child: ChildProcess;
  readonly home: string;
  readonly #settings: PlaneSettings;
  readonly #workers: TestWorker[] = [];
  readonly #clients: StillhouseClient[] = [];
  readonly #timers: NodeJS.Timeout[] = [];

  private constructor(
    home: string,
    settings: PlaneSettings,
    { child, addresses }: Awaited<ReturnType<typeof started>>,
  ) {
    this.home = home;
    this.#settings = settings;
    this.#child = child;
    this.#addresses = addresses;
    this.client = new StillhouseClient(addresses.grpc);
    child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      this.log = (this.log + text).slice(-LOG_CHARACTERS);
    });
  }

  static async start(settings: PlaneSettings = {}): Promise<MeasuredPlane> {
    const home = mkdtempSync(join(tmpdir(), "stillhouse-bench-"));
    await storeFor(home);
    await settings.prepare?.(home);
    return new MeasuredPlane(home, settings, await started(home, settings));
  }

  /** Kills it and starts another one on its home, which `prepare` may change. */
  async restart(prepare?: (home: string) => void | Promise<void>): Promise<void> {
    await this.#kill();
    this.client.close();
    await prepare?.(this.home);
    const { child, addresses } = await started(this.home, this.#settings);
    this.#child = child;
    this.#addresses = addresses;
    this.client = new StillhouseClient(addresses.grpc);
  }

  /** Workers that have been welcomed and that send heartbeats for the task they hold. */
  async connectWorkers(count: number): Promise<BusyWorker[]> {
    const names = Array.from({ length: count }, (_, index) => `simulated-${index}`);
    const workers = await Promise.all(
      names.map((name) => TestWorker.connected(this.#addresses, name)),
    );
    this.#workers.push(...workers);
    return workers.map((worker, index) => {
      const busy = new BusyWorker(worker);
      const offset = (HEARTBEAT_INTERVAL_MS * index) / count;
      this.#timers.push(setTimeout(() => this.#beat(busy), offset));
      return busy;
    });
  }

  /** Enough clients for this many calls at a time. */
  clientsFor(numCalls: number): StillhouseClient[] {
    const count = Math.ceil(numCalls / CALLS_PER_CLIENT);
    const clients = Array.from({ length: count }, () => new StillhouseClient(this.#addresses.grpc));
    this.#clients.push(...clients);
    return clients;
  }

  /** A worker that has not said hello. */
  rawWorker(name: string): TestWorker {
    const worker = new TestWorker(this.#addresses, name);
    this.#workers.push(worker);
    return worker;
  }

  /** HOST:PORT. */
  get grpcAddress(): string {
    return this.#addresses.grpc;
  }

  /** Where workers connect, tcp://HOST:PORT. */
  get zmqAddress(): string {
    return this.#addresses.zmq;
  }

  /** http://HOST:PORT; empty where it does not serve HTTP. */
  get httpAddress(): string {
    return this.#addresses.http;
  }

  async usage(): Promise<Usage> {
    const answer = once(this.#child, "message");
    this.#child.send("usage");
    const [usage] = await answer;
    return usage as Usage;
  }

  async close(): Promise<void> {
    for (const timer of this.#timers) clearInterval(timer);
    for (const worker of this.#workers) worker.close();
    for (const client of [this.client, ...this.#clients]) client.close();
    await this.#kill();
    rmSync(this.home, { recursive: true, force: true, maxRetries: 3 });
  }

  async #kill(): Promise<void> {
    const ended = once(this.#child, "exit");
    this.#child.kill("SIGKILL");
    await ended;
  }

  #beat(worker: BusyWorker): void {
    this.#timers.push(setInterval(() => worker.heartbeat(), HEARTBEAT_INTERVAL_MS));
  }
}

/** Resolves when it answers. */
async function started(home: string, settings: PlaneSettings) {
  const { python: pythonPath, numWorkers, workerPort } = settings;
  const store = storeOf(home);
  const http = settings.http ? { port: 0 } : undefined;
  const options = { home, store, pythonPath, numWorkers, workerPort, http };
  const child: ChildProcess = fork(PLANE, [JSON.stringify(options)], {
    execArgv: settings.collects ? ["--expose-gc"] : [],
    stdio: ["ignore", "ignore", settings.keepsLog ? "pipe" : "inherit", "ipc"],
  });
  const ended = once(child, "exit").then(() => {
    throw new Error("the control plane ended at its start");
  });
  const [addresses] = await Promise.race([once(child, "message"), ended]);
  ended.catch(() => undefined);
  return { child, addresses: addresses as PlaneAddresses };
}

/** A simulated worker and the task that it holds. */
export class BusyWorker {
  readonly worker: TestWorker;
  #assign: Awaited<ReturnType<TestWorker["nextTask"]>> | undefined;
  #hasFinished = false;

  constructor(worker: TestWorker) {
    this.worker = worker;
  }

  /** The task that it was given. */
  get assign() {
    if (this.#assign) return this.#assign;
    throw new Error("the worker has no task");
  }

  async nextTask(): Promise<void> {
    this.#assign = await this.worker.nextTask();
    this.#hasFinished = false;
  }

  async heartbeat(): Promise<void> {
    await this.worker.heartbeat(this.#assign ?? { taskId: "", attempt: 0 });
  }

  /** Reports the task as done, without waiting for the acknowledgement. */
  async finish(): Promise<void> {
    const value = await this.worker.result(this.assign);
    await this.worker.report(this.assign, { $case: "result", value });
    this.#hasFinished = true;
  }

  /** Waits for the acknowledgement of the last report. */
  async acknowledged(): Promise<void> {
    await this.worker.next("acknowledge");
    if (this.#hasFinished) this.#assign = undefined;
  }
}
