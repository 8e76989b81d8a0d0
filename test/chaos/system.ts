import { mkdirSync, mkdtempSync, renameSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { StillhouseClient } from "../../src/api/client.js";
import type { Experiment } from "../../src/generated/stillhouse/v1/experiment.js";
import { makeKeys } from "../../src/security/keys/make-keys.js";
import { readPartyKeys } from "../../src/security/keys/read-keys.js";
import { TokenFile } from "../../src/security/token-file.js";
import { SqlFile } from "../../src/store/database.js";
import { homePaths } from "../../src/store/home.js";
import { tinyDataAndModel } from "../fixtures/tiny.js";
import { type Outcome, outcomeOf } from "./outcome.js";
import { ServerProcess } from "./server-process.js";
import { TcpProxy } from "./tcp-proxy.js";
import { WorkerProcess } from "./worker-process.js";

const POLL_MS = 200;
/** Wide, since one worker runs the calm twins of a whole run one after the other. */
const TWINS_LIMIT_MS = 600_000;

export interface SystemOptions {
  readonly name: string;
  /** Remote workers. */
  readonly numWorkers: number;
  /** Workers that the control plane may start itself. */
  readonly numOwnWorkers: number;
  /** Whether workers and clients need keys and tokens. */
  readonly hasKeys: boolean;
}

/** A server with a home of its own, workers, and the proxies between them. */
export class System {
  readonly proxies: TcpProxy[] = [];
  readonly workers: WorkerProcess[] = [];
  readonly #home: string;
  readonly #options: SystemOptions;
  #server: ServerProcess | undefined;
  #client: StillhouseClient | undefined;

  constructor(options: SystemOptions) {
    this.#home = mkdtempSync(join(tmpdir(), `stillhouse-${options.name}-`));
    this.#options = options;
  }

  get server(): ServerProcess {
    return required(this.#server);
  }

  /** A client whose calls go through the proxy, so they may fail. */
  get client(): StillhouseClient {
    return required(this.#client);
  }

  async start(): Promise<void> {
    const { numWorkers, numOwnWorkers, hasKeys } = this.#options;
    const zmq = await TcpProxy.listen();
    const grpc = await TcpProxy.listen();
    this.proxies.push(zmq, grpc);
    const names = Array.from({ length: numWorkers }, (_, index) => nameOf(index));
    const token = hasKeys ? await this.#makeKeys(names) : undefined;
    const clientKeys = hasKeys ? readPartyKeys(this.#keysOf("client")) : {};
    this.#client = new StillhouseClient({
      address: grpc.address,
      ...clientKeys,
      ...(token === undefined ? {} : { token }),
    });
    const { dataDir, model } = tinyDataAndModel();
    const folders = { data: [dataDir], models: [model] };
    const keys = hasKeys ? { security: { keys: this.#keysOf("server"), folders } } : {};
    const options = { home: this.#home, numWorkers: numOwnWorkers, ...keys };
    this.#server = new ServerProcess(options, zmq, grpc);
    const logs = join(this.#home, "worker-logs");
    mkdirSync(logs);
    for (const name of names) {
      const place = { zmq: `tcp://${zmq.address}`, grpc: grpc.address };
      const own = hasKeys ? { keys: this.#keysOf(join("workers", name)) } : {};
      const logPath = join(logs, `${name}.log`);
      this.workers.push(new WorkerProcess(name, { ...place, ...own, logPath }));
    }
    await this.#server.start();
  }

  /** Refuses the key of a worker from its next connection on, or accepts it again. */
  allow(workerIndex: number, isAllowed: boolean): void {
    if (!this.#options.hasKeys) return;
    const key = join(this.#keysOf("server"), "workers", `${nameOf(workerIndex)}.key`);
    const aside = join(this.#home, `${nameOf(workerIndex)}.withdrawn`);
    if (isAllowed) renameSync(aside, key);
    else renameSync(key, aside);
  }

  /** The experiment once it has ended. */
  async ended(id: string): Promise<Experiment> {
    const deadlineMs = performance.now() + TWINS_LIMIT_MS;
    while (performance.now() < deadlineMs) {
      const { experiment } = await this.client.get(id);
      if (experiment?.endTime) return experiment;
      await sleep(POLL_MS);
    }
    throw new Error(`experiment ${id} has not ended after ${TWINS_LIMIT_MS / 1000} s`);
  }

  /** The outcomes of experiments, by their ids; to be read only once the server has stopped. */
  outcomes(experiments: readonly Experiment[]): Map<string, Outcome> {
    const { artifacts, database } = homePaths(this.#home);
    const file = new SqlFile(database);
    try {
      return new Map(experiments.map((each) => [each.id, outcomeOf(each, artifacts, file)]));
    } finally {
      file.close();
    }
  }

  async stop(): Promise<void> {
    this.#client?.close();
    await Promise.all(this.workers.map((worker) => worker.end()));
    await this.#server?.kill();
    for (const proxy of this.proxies) proxy.close();
  }

  remove(): void {
    rmSync(this.#home, { recursive: true, force: true, maxRetries: 3 });
  }

  /** @returns a token of an admin */
  async #makeKeys(workers: readonly string[]): Promise<string> {
    const tokens = new TokenFile(homePaths(this.#home).tokens);
    const now = new Date();
    await makeKeys({ folder: join(this.#home, "keys"), hosts: [], workers, tokens, now });
    return tokens.add("chaos", "admin", now);
  }

  #keysOf(party: string): string {
    return join(this.#home, "keys", party);
  }
}

function nameOf(workerIndex: number): string {
  return `worker-${workerIndex}`;
}

function required<Value>(value: Value | undefined): Value {
  if (value === undefined) throw new Error("the system was not started");
  return value;
}
