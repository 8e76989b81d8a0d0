import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { Registry } from "prom-client";
import { GrpcServer } from "./api/grpc/server.js";
import { type ServedParts, services } from "./api/grpc/services.js";
import { httpApp } from "./api/http/app.js";
import { routes } from "./api/http/routes/routes.js";
import { type HttpPort, HttpServer } from "./api/http/server.js";
import { type StillhouseError, unavailable } from "./errors.js";
import { allOf, type Observer } from "./experiment/domain/observer.js";
import type { Clock, Ids, Inspector, Log } from "./experiment/domain/ports.js";
import { DeviceMemory } from "./experiment/scheduling/device-memory.js";
import { Dispatcher } from "./experiment/scheduling/dispatcher.js";
import { EventFeed } from "./experiment/scheduling/event-feed.js";
import { LeaseClaims } from "./experiment/scheduling/lease-claims.js";
import { DEFAULT_TIMINGS, Leases, type Timings } from "./experiment/scheduling/leases.js";
import { Ledger } from "./experiment/scheduling/ledger.js";
import { ReadyTasks } from "./experiment/scheduling/ready-tasks.js";
import { ReportIntake } from "./experiment/scheduling/report-intake.js";
import { Roster } from "./experiment/scheduling/roster.js";
import { TaskFaults } from "./experiment/scheduling/task-faults.js";
import { WorkerAdmission } from "./experiment/scheduling/worker-admission.js";
import { Experiments } from "./experiment/services/experiments.js";
import { Fleet } from "./experiment/services/fleet.js";
import { Inspections } from "./experiment/services/inspections.js";
import { Metrics } from "./experiment/services/metrics.js";
import { Sweeps } from "./experiment/services/sweeps.js";
import { MlflowExport } from "./mlflow/mlflow-export.js";
import type { TrackingAddress } from "./mlflow/tracking-address.js";
import {
  ConnectionLimits,
  connectionsWithin,
  openFileLimit,
} from "./security/connection-limits.js";
import { bracketed, isLoopback, reachable } from "./security/network.js";
import { openSecurity, type Security, type SecurityOptions } from "./security/security.js";
import { TokensOfWorkers } from "./security/worker-keys.js";
import { homePaths } from "./store/home.js";
import type { HomeLock } from "./store/home-lock.js";
import { LocalStore } from "./store/local-store.js";
import { Reserve } from "./store/reserve.js";
import { Telemetry } from "./telemetry/telemetry.js";
import { PythonBridge } from "./worker/bridge.js";
import { codeVersion } from "./worker/code-version.js";
import { WorkerHub } from "./worker/hub.js";
import { LocalLauncher } from "./worker/local-launcher.js";
import type { Environment } from "./worker/process-group.js";
import { PythonInspector } from "./worker/python-inspector.js";
import { Workers } from "./worker/workers.js";

export { type OpenedHome, openHome } from "./open-home.js";

const DASHBOARD = fileURLToPath(new URL("../dist/dashboard", import.meta.url));
const PYTHON_WORKER = fileURLToPath(new URL("../python_worker", import.meta.url));
/** Time for the first import of PyTorch and for the fingerprint of a large data set. */
const INSPECTION_TIMEOUT_MS = 600_000;
const LOOPBACK = "127.0.0.1";
/** Its connection, and both ends of the one from there to ZeroMQ. */
const FILES_PER_WORKER = 3;
/** Time for answers that are on their way when the server stops. */
const SERVER_GRACE_MS = 1_000;
/** How often what could not be removed is tried again. */
const TIDY_INTERVAL_MS = 60_000;
/** Time for the last that MLflow is to get. */
const EXPORT_GRACE_MS = 5_000;

export interface ControlPlaneOptions {
  readonly home: string;
  /** Of `openHome`; it is released when the control plane stops, or cannot start. */
  readonly lock: HomeLock;
  /** Python of the project's environment. */
  readonly pythonPath: string;
  /** Environment of Python processes. */
  readonly env: Environment;
  /** Most worker processes at a time; 0 leaves all work to workers that connect by themselves. */
  readonly numWorkers: number;
  readonly log: Log;
  /** Most unfinished experiments of an owner; absent: any number. */
  readonly maxUnfinished?: number;
  /** Files that the process may have open; absent: what the system says. */
  readonly maxOpenFiles?: number;
  /** Most tasks of all unfinished experiments of an owner; absent: any number. */
  readonly maxUnfinishedTasks?: number;
  /** IP address to listen on; 127.0.0.1 where it is absent. */
  readonly host?: string;
  /** 0, the default, for any. */
  readonly grpcPort?: number;
  /** 0, the default, for any. */
  readonly workerPort?: number;
  /** Who gets in. On any host but loopback keys and tokens are needed. */
  readonly security?: SecurityOptions;
  /**
   * Experiments that go on when an earlier process left them unfinished; the others stay queued
   * until they are resumed. When absent all go on.
   */
  readonly adopt?: readonly string[];
  /** Ends a start that takes long. */
  readonly stop?: AbortSignal;
  readonly timings?: Partial<Timings>;
  /** Where HTTP answers, on the same host; absent: nowhere. */
  readonly http?: HttpPort;
  /** Server that gets a copy of what experiments report; absent: none. */
  readonly mlflow?: TrackingAddress | undefined;
  /** Shown with the measurements and the description of HTTP. */
  readonly version?: string;
}

export interface ControlPlane {
  /** Where gRPC answers, HOST:PORT; on every address of this machine, by the one of loopback. */
  readonly address: string;
  /** Where workers connect with ZeroMQ, tcp://HOST:PORT, as `address`. */
  readonly workerAddress: string;
  /** Folder of keys for clients of this machine; they are good until the control plane stops. */
  readonly clientKeys: string;
  /** Where HTTP answers and the dashboard is, such as http://HOST:PORT; empty for nowhere. */
  readonly httpAddress: string;
  /** Experiments of an earlier process that stay queued, since they were not adopted. */
  readonly leftQueued: readonly string[];
  /** Resolves when the home can no longer be written and waiting does not help: stop then. */
  readonly broken: Promise<StillhouseError>;
  /**
   * Stops what runs after a checkpoint, ends the workers and releases the home. Experiments that
   * are not done go on at the next start.
   *
   * @param withinMs what has not stopped by then is ended, and goes on from its last checkpoint
   */
  stop(withinMs?: number): Promise<void>;
  /** Ends all processes that were started, at once; for when this one ends in the next moment. */
  kill(): void;
}

/**
 * Starts the control plane of a home; unfinished experiments go on at once. Throws the reason of
 * `stop` when that ends it.
 */
export async function startControlPlane(options: ControlPlaneOptions): Promise<ControlPlane> {
  let running: RunningControlPlane | undefined;
  try {
    new Reserve(homePaths(options.home).reserve).giveUpIfNeeded();
    const security = securityOf(options);
    running = new RunningControlPlane(
      options,
      LocalStore.open(options.home, options.log),
      security,
    );
    await running.start();
    return running;
  } catch (error) {
    if (running) await running.stop();
    else options.lock.release();
    throw error;
  }
}

class RunningControlPlane implements ControlPlane {
  readonly #options: ControlPlaneOptions;
  readonly #timings: Timings;
  readonly #store: LocalStore;
  readonly #security: Security;
  readonly #feed: EventFeed;
  readonly #ledger: Ledger;
  readonly #leases: Leases;
  readonly #ready: ReadyTasks;
  readonly #memory = new DeviceMemory();
  readonly #roster = new Roster(() => clock.monotonicMs());
  readonly #hub: WorkerHub;
  readonly #workers: Workers;
  readonly #bridge: PythonBridge;
  readonly #inspector: PythonInspector;
  readonly #dispatcher: Dispatcher;
  readonly #experiments: Experiments;
  readonly #served: ServedParts;
  readonly #server: GrpcServer;
  readonly #http: HttpServer | undefined;
  readonly #telemetry: Telemetry;
  readonly #mlflow: MlflowExport | undefined;
  readonly #observer: Observer;
  #ticking: NodeJS.Timeout | undefined;
  #tidying: NodeJS.Timeout | undefined;
  #stopped: Promise<void> | undefined;
  #break: (fault: StillhouseError) => void = () => undefined;
  readonly broken = new Promise<StillhouseError>((resolve) => {
    this.#break = resolve;
  });
  #grpcPort = 0;
  address = "";
  workerAddress = "";
  httpAddress = "";
  leftQueued: readonly string[] = [];

  constructor(options: ControlPlaneOptions, store: LocalStore, security: Security) {
    const { pythonPath, env, log } = options;
    this.#options = options;
    this.#store = store;
    this.#security = security;
    this.#feed = new EventFeed((event) => store.runLogs.note(event));
    this.#timings = { ...DEFAULT_TIMINGS, ...options.timings };
    this.#leases = new Leases(this.#timings, () => clock.monotonicMs());
    this.#ready = new ReadyTasks(
      () => clock.monotonicMs(),
      this.#timings.retryBackOffMs,
      (sweepId) => store.sweeps.findSweep(sweepId)?.maxParallel ?? 0,
    );
    this.#telemetry = new Telemetry({
      registry: new Registry(),
      version: options.version ?? "",
      monotonicMs: () => clock.monotonicMs(),
      workers: () => this.#served.fleet.all(),
      hasStorageFault: () => this.#dispatcher.fault !== undefined,
    });
    this.#mlflow = this.#makeMlflowExport();
    this.#observer = allOf([this.#telemetry, ...(this.#mlflow ? [this.#mlflow] : [])]);
    const { experiments, artifacts } = store;
    this.#ledger = new Ledger(
      experiments,
      artifacts,
      this.#feed,
      clock,
      this.#ready,
      this.#observer,
      mostUnfinished(options),
    );
    const workerConnections = connectionLimits(options, FILES_PER_WORKER);
    this.#hub = new WorkerHub(log, security.workerGate, {
      admit: (socket) => workerConnections.admit(socket),
    });
    const keys = security.session.worker;
    const launcher = new LocalLauncher({ pythonPath, env, logs: store.logs, log, keys });
    this.#workers = new Workers({ hub: this.#hub, launcher, log });
    this.#bridge = new PythonBridge({
      pythonPath,
      env,
      logPath: join(store.logs, "inspection.log"),
      timeoutMs: INSPECTION_TIMEOUT_MS,
    });
    this.#inspector = new PythonInspector({ bridge: this.#bridge, pythonPath, env, log });
    this.#dispatcher = this.#makeDispatcher();
    this.#experiments = this.#makeExperiments(this.#inspector);
    this.#served = this.#makeServed();
    this.#server = new GrpcServer(services(this.#served), security, {
      connections: connectionLimits(options),
    });
    this.#http =
      options.http && new HttpServer(this.#makeHttpApp(), security, connectionLimits(options));
  }

  get clientKeys(): string {
    return this.#security.session.client;
  }

  async start(): Promise<void> {
    const { adopt, lock, http, host = LOOPBACK, grpcPort = 0, workerPort = 0 } = this.#options;
    this.leftQueued = await this.#ledger.load(
      (id) => adopt === undefined || adopt.includes(id),
      ({ workerId }) => workerId !== "" && !ids.isOfWorker(workerId),
      this.#options.stop,
    );
    this.#dispatcher.awaitWorkers();
    const bound = await this.#hub.bind(host, workerPort);
    this.#grpcPort = await this.#server.listen(host, grpcPort);
    const here = bracketed(reachable(host));
    this.address = `${here}:${this.#grpcPort}`;
    this.workerAddress = `tcp://${here}:${portOf(bound)}`;
    const { workerAddress, address: grpcAddress } = this;
    this.#workers.open(this.#dispatcher, { workerAddress, grpcAddress });
    if (this.#http && http) this.httpAddress = await this.#http.listen(host, http);
    this.#ticking = setInterval(() => this.#dispatcher.tick(), this.#timings.tickMs);
    this.#tidying = setInterval(() => this.#tidy(), TIDY_INTERVAL_MS);
    this.#dispatcher.dispatch();
    lock.announce(this.address, this.clientKeys);
    this.#server.isServing = true;
    this.#keepReserve();
  }

  stop(withinMs = Number.POSITIVE_INFINITY): Promise<void> {
    this.#stopped ??= this.#stop(withinMs);
    return this.#stopped;
  }

  kill(): void {
    this.#inspector.stop();
    this.#bridge.kill();
    this.#workers.killAll();
  }

  async #stop(withinMs: number): Promise<void> {
    const deadlineMs = clock.monotonicMs() + withinMs;
    const { lock } = this.#options;
    const reason = unavailable(`the control plane at ${this.address} is stopping`);
    lock.withdraw();
    this.#server.isServing = false;
    this.#experiments.refuse(reason);
    this.#feed.end(reason);
    this.#inspector.stop();
    // Workers still hand in artifacts while they come to their end, so the server stops after them.
    await Promise.all([this.#bridge.stop(), atMost(withinMs, this.#dispatcher.drain())]);
    const leftMs = Math.max(0, deadlineMs - clock.monotonicMs());
    await this.#workers.stop(Math.min(leftMs, this.#timings.stopGraceMs));
    clearInterval(this.#ticking);
    clearInterval(this.#tidying);
    await Promise.all([this.#server.stop(SERVER_GRACE_MS), this.#http?.stop(SERVER_GRACE_MS)]);
    await this.#hub.close();
    await this.#mlflow?.stop(Math.min(withinMs, EXPORT_GRACE_MS));
    await this.#store.settled();
    this.#store.close();
    this.#security.session.remove();
    lock.release();
  }

  #tidy(): void {
    try {
      this.#store.tidy();
    } catch (error) {
      this.#options.log.debug(`not all could be removed: ${(error as Error).message}`);
    }
    this.#keepReserve();
  }

  #keepReserve(): void {
    try {
      this.#store.keepReserve();
    } catch (error) {
      this.#options.log.debug(`no room for removals: ${(error as Error).message}`);
    }
  }

  #makeDispatcher(): Dispatcher {
    const { log, numWorkers } = this.#options;
    const { metrics, artifacts, workFolders, runLogs: runLog, leases, workerIds } = this.#store;
    const observer = this.#observer;
    const keys = new TokensOfWorkers(this.#security.authenticator);
    const shared = {
      claims: new LeaseClaims({ store: leases, observer, log }),
      admission: new WorkerAdmission({ keys, workerIds, ids, observer, clock, log }),
      ledger: this.#ledger,
      leases: this.#leases,
      roster: this.#roster,
      ready: this.#ready,
      memory: this.#memory,
      pool: this.#workers,
      log,
    };
    const faults = new TaskFaults(shared);
    return new Dispatcher({
      ...shared,
      faults,
      intake: new ReportIntake(this.#ledger, metrics, artifacts, workFolders, faults),
      artifacts,
      workFolders,
      runLog,
      clock,
      ids,
      timings: this.#timings,
      observer,
      numWorkers,
      grpcPort: () => this.#grpcPort,
      storage: this.#store,
      onFault: (error) => {
        this.#server.isServing = false;
        this.#feed.end(error);
      },
      onRecovery: () => {
        if (this.#stopped) return;
        this.#feed.reopen();
        this.#server.isServing = true;
      },
      onBroken: (fault) => this.#break(fault),
    });
  }

  #makeMlflowExport(): MlflowExport | undefined {
    const { mlflow, log } = this.#options;
    if (mlflow === undefined) return undefined;
    const { experiments, metrics } = this.#store;
    return new MlflowExport(mlflow, { experiments, metrics, log });
  }

  #makeServed(): ServedParts {
    const store = this.#store;
    return {
      experiments: this.#experiments,
      sweeps: this.#makeSweeps(),
      metrics: new Metrics(this.#ledger, store.metrics),
      fleet: new Fleet({
        roster: this.#roster,
        leases: this.#leases,
        memory: this.#memory,
        dispatcher: this.#dispatcher,
        clock,
      }),
      dispatcher: this.#dispatcher,
      store: store.experiments,
      artifacts: store.artifacts,
      folders: this.#security.folders,
      log: this.#options.log,
    };
  }

  #makeHttpApp() {
    const { log, version = "", host = LOOPBACK } = this.#options;
    const telemetry = this.#telemetry;
    const { experiments, artifacts } = this.#store;
    return httpApp({
      routes: routes({
        ...this.#served,
        inspections: new Inspections(experiments, artifacts, this.#inspector),
        telemetry,
      }),
      dashboard: DASHBOARD,
      version,
      log,
      security: this.#security,
      isLoopback: isLoopback(host),
      onAnswer: (...answer) => telemetry.requests.answered(...answer),
    });
  }

  #makeSweeps(): Sweeps {
    return new Sweeps({
      ledger: this.#ledger,
      dispatcher: this.#dispatcher,
      ready: this.#ready,
      sweeps: this.#store.sweeps,
      assertAnswering: () => this.#experiments.assertAnswering(),
      assertOpen: () => this.#experiments.assertOpen(),
      clock,
      ids,
      codeVersion: codeVersion(PYTHON_WORKER),
    });
  }

  #makeExperiments(inspector: Inspector): Experiments {
    return new Experiments({
      ledger: this.#ledger,
      dispatcher: this.#dispatcher,
      store: this.#store.experiments,
      feed: this.#feed,
      artifacts: this.#store.artifacts,
      workFolders: this.#store.workFolders,
      clearLeftovers: () => this.#store.clearLeftovers(),
      runLog: this.#store.runLogs,
      inspector,
      clock,
      ids,
      codeVersion: codeVersion(PYTHON_WORKER),
    });
  }
}

/** Half of the places for one address, but on loopback, where all clients have the same one. */
function connectionLimits(
  { host = LOOPBACK, maxOpenFiles = openFileLimit() }: ControlPlaneOptions,
  filesPerConnection = 1,
) {
  const most = connectionsWithin(maxOpenFiles, filesPerConnection);
  return new ConnectionLimits(most, isLoopback(host) ? most : Math.ceil(most / 2));
}

function mostUnfinished({ maxUnfinished, maxUnfinishedTasks }: ControlPlaneOptions) {
  return {
    experiments: maxUnfinished ?? Number.POSITIVE_INFINITY,
    tasks: maxUnfinishedTasks ?? Number.POSITIVE_INFINITY,
  };
}

function securityOf({ host = LOOPBACK, home, security = {}, log }: ControlPlaneOptions): Security {
  return openSecurity(host, security, homePaths(home), log);
}

const clock: Clock = {
  now: () => new Date(),
  monotonicMs: () => performance.now(),
};

const ids: Ids = {
  experiment: () => randomBytes(5).toString("hex"),
  worker: () => `worker-${randomBytes(4).toString("hex")}`,
  isOfWorker: (id) => /^worker-[0-9a-f]{8}$/.test(id),
};

function portOf(address: string): string {
  return address.slice(address.lastIndexOf(":") + 1);
}

async function atMost(limitMs: number, promise: Promise<void>): Promise<void> {
  if (limitMs === Number.POSITIVE_INFINITY) return promise;
  const waiting = new AbortController();
  const limit = sleep(limitMs, undefined, { signal: waiting.signal }).catch(() => undefined);
  await Promise.race([promise, limit]);
  waiting.abort();
}
