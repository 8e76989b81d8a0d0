import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Registry } from "prom-client";
import { GrpcServer } from "../api/grpc/server.js";
import { type ServedParts, services } from "../api/grpc/services.js";
import { httpApp } from "../api/http/app.js";
import { routes } from "../api/http/routes/routes.js";
import { HttpServer } from "../api/http/server.js";
import type { StillhouseError } from "../errors.js";
import { allOf } from "../experiment/domain/observer.js";
import { DeviceMemory } from "../experiment/scheduling/device-memory.js";
import { Dispatcher } from "../experiment/scheduling/dispatcher.js";
import { EventFeed } from "../experiment/scheduling/event-feed.js";
import { LeaseClaims } from "../experiment/scheduling/lease-claims.js";
import { DEFAULT_TIMINGS, Leases } from "../experiment/scheduling/leases.js";
import { Ledger } from "../experiment/scheduling/ledger.js";
import { ReadyTasks } from "../experiment/scheduling/ready-tasks.js";
import { ReportIntake } from "../experiment/scheduling/report-intake.js";
import { Roster } from "../experiment/scheduling/roster.js";
import { TaskFaults } from "../experiment/scheduling/task-faults.js";
import { WorkerAdmission } from "../experiment/scheduling/worker-admission.js";
import { Checkpoints } from "../experiment/services/checkpoints.js";
import { FoldersOfClients } from "../experiment/services/client-folders.js";
import { Experiments } from "../experiment/services/experiments.js";
import { Fleet } from "../experiment/services/fleet.js";
import { Inspections } from "../experiment/services/inspections.js";
import { Metrics } from "../experiment/services/metrics.js";
import { Sweeps } from "../experiment/services/sweeps.js";
import { MlflowExport } from "../mlflow/mlflow-export.js";
import { isLoopback } from "../security/network.js";
import type { Security } from "../security/security.js";
import { TokensOfWorkers } from "../security/worker-keys.js";
import type { LocalStore } from "../store/local-store.js";
import { Telemetry } from "../telemetry/telemetry.js";
import { PythonBridge } from "../worker/bridge.js";
import { codeVersion } from "../worker/code-version.js";
import { WorkerHub } from "../worker/hub.js";
import type { Addresses } from "../worker/local-launcher.js";
import { PythonInspector } from "../worker/python-inspector.js";
import { Workers } from "../worker/workers.js";
import { type ControlPlaneOptions, LOOPBACK } from "./options.js";
import { poolsOf } from "./pools.js";
import { clock, connectionLimits, ids, newsOfWorkers } from "./surroundings.js";

const DASHBOARD = fileURLToPath(new URL("../../dist/dashboard", import.meta.url));
const PYTHON_WORKER = fileURLToPath(new URL("../../python_worker", import.meta.url));

/** The inputs of all parts. */
interface Ground {
  readonly options: ControlPlaneOptions;
  readonly store: LocalStore;
  readonly security: Security;
  readonly life: Life;
}

/** What the parts read from the running control plane, or report to it. */
export interface Life {
  /** Where gRPC listens; 0 before it does. */
  readonly grpcPort: number;
  /** Where workers of this machine reach it, once it listens. */
  readonly addresses: Addresses;
  readonly isStopping: boolean;
  /** The home can no longer be written, and waiting does not help. */
  reportBroken(fault: StillhouseError): void;
}

export type Parts = ReturnType<typeof wire>;

/** Makes the parts of a control plane and connects them; nothing runs yet. */
export function wire(ground: Ground) {
  const { options, store, security } = ground;
  const feed = new EventFeed((event) => store.runLogs.note(event));
  const measured = measuring(ground, () => ({ fleet: served.fleet, dispatcher }));
  const state = stateOf(ground, feed, measured);
  const workers = workersOf(ground);
  const python = pythonOf(ground);
  const dispatcher = dispatcherOf(
    ground,
    { ...state, ...measured, ...workers },
    {
      stopServing: (fault) => {
        server.isServing = false;
        feed.end(fault);
      },
      serveAgain: () => {
        feed.reopen();
        server.isServing = true;
      },
    },
  );
  const served = servedOf(ground, { ...state, ...python, feed, dispatcher });
  const server = new GrpcServer(services(served), security, {
    connections: connectionLimits(options, "clients"),
  });
  const http = httpServerOf(ground, served, { ...python, ...measured });
  return { ...state, ...measured, ...workers, ...python, ...served, feed, server, http };
}

interface LateParts {
  readonly fleet: Fleet;
  readonly dispatcher: Dispatcher;
}

/** @param late parts that are made later, asked only when there are measurements to give */
function measuring({ options, store }: Ground, late: () => LateParts) {
  const { mlflow: address, log, version = "" } = options;
  const telemetry = new Telemetry({
    registry: new Registry(),
    version,
    monotonicMs: () => clock.monotonicMs(),
    workers: () => late().fleet.all(),
    pools: () => late().dispatcher.pools.figures(),
    hasStorageFault: () => late().dispatcher.fault !== undefined,
  });
  const { experiments, metrics } = store;
  const mlflow = address && new MlflowExport(address, { experiments, metrics, log });
  return { telemetry, mlflow, observer: allOf([telemetry, ...(mlflow ? [mlflow] : [])]) };
}

type Measuring = ReturnType<typeof measuring>;

function stateOf({ options, store }: Ground, feed: EventFeed, { observer }: Measuring) {
  const timings = { ...DEFAULT_TIMINGS, ...options.timings };
  const ready = new ReadyTasks(
    () => clock.monotonicMs(),
    timings.retryBackOffMs,
    (sweepId) => store.sweeps.maxParallelOf(sweepId),
  );
  const { experiments, artifacts } = store;
  const most = {
    experiments: options.maxUnfinished ?? Number.POSITIVE_INFINITY,
    tasks: options.maxUnfinishedTasks ?? Number.POSITIVE_INFINITY,
  };
  return {
    timings,
    ready,
    leases: new Leases(timings, () => clock.monotonicMs()),
    memory: new DeviceMemory(),
    roster: new Roster(() => clock.monotonicMs()),
    ledger: new Ledger(experiments, artifacts, feed, clock, ready, { observer, most }),
  };
}

type PlaneState = ReturnType<typeof stateOf>;

function workersOf({ options, security }: Ground) {
  const { log } = options;
  const connections = connectionLimits(options, "workers", newsOfWorkers(log));
  const hub = new WorkerHub(log, security.workerGate, {
    admit: (socket) => connections.admit(socket),
  });
  return { hub, workers: new Workers({ hub, log }) };
}

function pythonOf({ options, store }: Ground) {
  const { pythonPath, env, log } = options;
  const logPath = join(store.logs, "inspection.log");
  const bridge = new PythonBridge({ pythonPath, env, logPath });
  return { bridge, inspector: new PythonInspector({ bridge, pythonPath, env, log }) };
}

interface Serving {
  readonly stopServing: (fault: StillhouseError) => void;
  readonly serveAgain: () => void;
}

function dispatcherOf(
  ground: Ground,
  parts: PlaneState & Pick<Measuring, "observer"> & ReturnType<typeof workersOf>,
  { stopServing, serveAgain }: Serving,
): Dispatcher {
  const { options, store, security, life } = ground;
  const { log } = options;
  const { metrics, artifacts, workFolders, checkpoints, folders, workerIds, launches } = store;
  const { runLogs: runLog, leases: secrets } = store;
  const { observer, workers: pool, ...state } = parts;
  const keys = new TokensOfWorkers(security.authenticator);
  const shared = {
    ...state,
    ...{ pool, log, observer, clock, ids },
    claims: new LeaseClaims({ store: secrets, observer, log }),
    admission: new WorkerAdmission({
      ...{ keys, workerIds, ids, observer, clock, log },
      standingOf: (workerId) => dispatcher.pools.standingOf(workerId),
    }),
  };
  const faults = new TaskFaults(shared);
  const dispatcher: Dispatcher = new Dispatcher({
    ...shared,
    ...{
      faults,
      artifacts,
      workFolders,
      checkpoints,
      folders,
      runLog,
      launches,
      pools: poolsOf(ground),
    },
    intake: new ReportIntake(state.ledger, metrics, artifacts, workFolders, faults),
    grpcPort: () => life.grpcPort,
    storage: store,
    onFault: stopServing,
    onRecovery: () => {
      if (!life.isStopping) serveAgain();
    },
    onBroken: (fault) => life.reportBroken(fault),
  });
  return dispatcher;
}

interface Domain extends PlaneState {
  readonly feed: EventFeed;
  readonly dispatcher: Dispatcher;
  readonly inspector: PythonInspector;
}

function servedOf({ options, store, security }: Ground, domain: Domain): ServedParts {
  const { ledger, dispatcher, ready, roster, leases, memory, feed, inspector } = domain;
  const planning = {
    ledger,
    dispatcher,
    clock,
    ids,
    folders: store.folders,
    codeVersion: codeVersion(PYTHON_WORKER),
  };
  const experiments = new Experiments({
    ...planning,
    ...{ feed, inspector, roster, memory },
    store: store.experiments,
    artifacts: store.artifacts,
    workFolders: store.workFolders,
    runLog: store.runLogs,
    clearLeftovers: () => store.clearLeftovers(),
  });
  const sweeps = new Sweeps({
    ...planning,
    ready,
    sweeps: store.sweeps,
    assertAnswering: () => experiments.assertAnswering(),
    assertOpen: () => experiments.assertOpen(),
  });
  return {
    ...{ experiments, sweeps, dispatcher },
    metrics: new Metrics(ledger, store.metrics),
    fleet: new Fleet({ roster, leases, memory, dispatcher, clock }),
    store: store.experiments,
    artifacts: store.artifacts,
    checkpoints: new Checkpoints({ dispatcher, store: store.checkpoints, clock }),
    clientFolders: new FoldersOfClients({
      ...{ dispatcher, ledger },
      store: store.folders,
      assertOpen: () => experiments.assertOpen(),
    }),
    folders: security.folders,
    log: options.log,
  };
}

function httpServerOf(
  { options, store, security }: Ground,
  served: ServedParts,
  { telemetry, inspector }: Pick<Measuring, "telemetry"> & ReturnType<typeof pythonOf>,
): HttpServer | undefined {
  const { http, log, version = "", host = LOOPBACK } = options;
  if (http === undefined) return undefined;
  const inspections = new Inspections(store.experiments, store.artifacts, inspector);
  const app = httpApp({
    routes: routes({ ...served, inspections, telemetry }),
    dashboard: DASHBOARD,
    ...{ version, log, security },
    isLoopback: isLoopback(host),
    onAnswer: (...answer) => telemetry.requests.answered(...answer),
  });
  return new HttpServer(app, security, connectionLimits(options, "clients"));
}
