import { join } from "node:path";
import type { LaunchShape, PoolSettings } from "../experiment/domain/launcher-ports.js";
import { addressesFor, bracketed, reachable } from "../security/network.js";
import { tokenNameOf } from "../security/pool-keys.js";
import type { Security } from "../security/security.js";
import { homePaths } from "../store/home.js";
import type { LocalStore } from "../store/local-store.js";
import { EngineLauncher } from "../worker/engine-launcher.js";
import { type Addresses, LocalLauncher } from "../worker/local-launcher.js";
import { type ControlPlaneOptions, type EnginePool, LOOPBACK } from "./options.js";

interface Ground {
  readonly options: ControlPlaneOptions;
  readonly store: LocalStore;
  readonly security: Security;
  readonly life: { readonly addresses: Addresses };
}

/** An idle worker that is not connected for this long ends by itself. */
const LEAVE_AFTER_S = 600;

/** Where workers are started, in the order in which they are asked. */
export function poolsOf(ground: Ground): PoolSettings[] {
  const { engines = [] } = ground.options;
  return [localPool(ground), ...engines.map((pool) => enginePool(ground, pool))];
}

/** Processes of this machine. */
function localPool({ options, store, security, life }: Ground): PoolSettings {
  const { pythonPath, env, log, numWorkers } = options;
  const launcher = new LocalLauncher({
    ...{ pythonPath, env, log, logs: store.logs, keys: security.session.worker },
    addresses: () => life.addresses,
  });
  return {
    ...{ name: "local", launcher, outlivesPlane: false },
    ...{ most: numWorkers, mostPending: numWorkers },
  };
}

function enginePool(ground: Ground, pool: EnginePool): PoolSettings {
  const { options, store, security, life } = ground;
  const { pythonPath, env, log } = options;
  const { name, engine, maxWorkers, maxPending, idleTimeoutMs } = pool;
  const keys = security.pools.folderOf(name);
  const folder = join(homePaths(options.home).pools, name);
  const launcher = new EngineLauncher({
    ...{ engine, pythonPath, env, log, logPath: join(store.logs, `launcher-${name}.log`) },
    settings: () => ({
      prefix: `${name}-${store.launches.planeId}-`,
      python: pythonPath,
      ...advertised(options, life.addresses),
      keys: keys ?? null,
      work_dir: join(folder, "work"),
      logs: store.logs,
      leave_after_s: LEAVE_AFTER_S,
      options: pool.options,
    }),
  });
  return {
    ...{ name, launcher, idleTimeoutMs, outlivesPlane: true },
    ...{ most: maxWorkers, mostPending: maxPending, largest: largestOf(pool) },
    ...(keys === undefined ? {} : { keyOwner: tokenNameOf(name) }),
  };
}

/** Memory of a GPU is what it is; that of a CPU is asked for. */
function largestOf({ gpus, maxMemoryBytes }: EnginePool): LaunchShape[] {
  const cpu = { device: "cpu", numDevices: 1, memoryBytes: maxMemoryBytes };
  return gpus === 0 ? [cpu] : [cpu, { device: "cuda", numDevices: gpus, memoryBytes: 0 }];
}

/** Where other machines reach the control plane. */
export function advertised(options: ControlPlaneOptions, { workers, grpc }: Addresses): Addresses {
  const { host = LOOPBACK, advertise = addressesFor(host)[0] ?? reachable(host) } = options;
  const named = (address: string) => `${bracketed(advertise)}:${address.split(":").at(-1)}`;
  return { workers: `tcp://${named(workers)}`, grpc: named(grpc) };
}
