import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { HomeControlPlane } from "../cli/connect/connection.js";
import type { OpenHome, OpenIdleHome } from "../cli/connect/open-connection.js";
import type { Server } from "../cli/service/serve.js";
import type { ServeSettings } from "../cli/service/serve-arguments.js";
import { type ControlPlaneOptions, openHome, startControlPlane } from "../control-plane.js";
import { conflict } from "../errors.js";
import { processLog } from "../logging/process-log.js";
import { type TrackingAddress, trackingAddress } from "../mlflow/tracking-address.js";
import { keepPrivate, makeHome } from "../store/home.js";
import { postgresAddress } from "../store/postgres/address.js";
import { Leadership } from "../store/postgres/leadership.js";
import { noteOn, PROJECT, type Surroundings } from "./surroundings.js";

/** Port of a command's dashboard, unless another one uses it already. */
const HTTP = { port: 8420, orAnyPort: true };
/** One worker uses all cores of a CPU, and a second one on the same device would only wait. */
const NUM_WORKERS = 1;

/** The ways to the control plane of the home. */
export function homeOf(surroundings: Surroundings): {
  openHome: OpenHome;
  openIdleHome: OpenIdleHome;
} {
  return {
    openHome: (adopt, note) => openControlPlane(surroundings, adopt, note),
    openIdleHome: () => openIdle(surroundings),
  };
}

async function openControlPlane(
  { home, pythonPath, showsTraces }: Surroundings,
  adopt: readonly string[],
  note: (sentence: string) => void,
): Promise<HomeControlPlane> {
  const opened = await openHome(home, note);
  if (opened.kind === "running") {
    const { address, keys } = opened;
    return { kind: "joined", address, keys };
  }
  return startedHome({
    home,
    lock: opened.lock,
    pythonPath,
    // A token for other servers is no business of the workers.
    env: { ...process.env, STILLHOUSE_TOKEN: undefined },
    numWorkers: NUM_WORKERS,
    log: processLog(logFile(home), showsTraces, note),
    adopt,
    http: HTTP,
    mlflow: mlflowOf(process.env),
    version: projectVersion(),
  });
}

/** The control plane of the home, or one that dispatches nothing, to read the home. */
export async function openIdle({
  home,
  pythonPath,
  showsTraces,
  terminal,
}: Surroundings): Promise<HomeControlPlane> {
  const opened = await openHome(home, noteOn(terminal));
  if (opened.kind === "running") {
    const { address, keys } = opened;
    return { kind: "joined", address, keys };
  }
  const log = processLog(logFile(home), showsTraces, () => undefined);
  const env = process.env;
  return startedHome({ home, lock: opened.lock, pythonPath, env, numWorkers: 0, log });
}

async function startedHome(options: ControlPlaneOptions): Promise<HomeControlPlane> {
  const controlPlane = await startControlPlane(options);
  return {
    kind: "started",
    address: controlPlane.address,
    keys: controlPlane.clientKeys,
    dashboard: controlPlane.httpAddress,
    leftQueued: controlPlane.leftQueued,
    stop: () => controlPlane.stop(),
    kill: () => controlPlane.kill(),
  };
}

/** For `serve`. @throws CONFLICT where a control plane has the home */
export async function startServer(
  { pythonPath, showsTraces, interruption }: Surroundings,
  { home, keys, requiresClientCertificate, folders, httpPort, ...settings }: ServeSettings,
  note: (sentence: string) => void,
): Promise<Server> {
  const right = await rightToServe({ home, ...settings }, note, interruption.stop);
  return startControlPlane({
    ...settings,
    ...right,
    home,
    pythonPath,
    // The password of the database is no business of the workers.
    env: { ...process.env, PGPASSWORD: undefined },
    log: processLog(logFile(home), showsTraces, note),
    http: { port: httpPort },
    mlflow: mlflowOf(process.env),
    version: projectVersion(),
    stop: interruption.stop,
    security: { folders, requiresClientCertificate, ...(keys === undefined ? {} : { keys }) },
  });
}

/** Of the home, or of the database: then it waits until no other control plane leads. */
async function rightToServe(
  { home, store, leaseMs }: Pick<ServeSettings, "home" | "store" | "leaseMs">,
  note: (sentence: string) => void,
  stop: AbortSignal,
): Promise<Pick<ControlPlaneOptions, "lock" | "leadership">> {
  if (store !== undefined) {
    const address = postgresAddress(store);
    const paths = makeHome(home);
    keepPrivate(paths, note);
    const leadership = await Leadership.stand({ address, paths, leaseMs, note, stop });
    return { lock: leadership, leadership };
  }
  const opened = await openHome(home, note);
  if (opened.kind === "owner") return { lock: opened.lock };
  throw conflict(
    `a control plane runs on ${home} already, at ${opened.address}; end it or choose another --home`,
  );
}

/** The token has the name that MLflow's own clients know. */
function mlflowOf(env: NodeJS.ProcessEnv): TrackingAddress | undefined {
  const { STILLHOUSE_MLFLOW: address, MLFLOW_TRACKING_TOKEN: token } = env;
  return address ? trackingAddress(address, token || undefined) : undefined;
}

function projectVersion(): string {
  const { version } = JSON.parse(readFileSync(join(PROJECT, "package.json"), "utf8"));
  return String(version);
}

function logFile(home: string): string {
  return join(home, "logs", "control-plane.log");
}

/** Address of the control plane that has the home, if one has. */
export async function runningAt({ home, terminal }: Surroundings): Promise<string | undefined> {
  const opened = await openHome(home, noteOn(terminal));
  if (opened.kind === "running") return opened.address;
  opened.lock.release();
  return undefined;
}
