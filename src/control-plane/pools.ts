import type { PoolSettings } from "../experiment/domain/launcher-ports.js";
import type { Security } from "../security/security.js";
import type { LocalStore } from "../store/local-store.js";
import { type Addresses, LocalLauncher } from "../worker/local-launcher.js";
import type { ControlPlaneOptions } from "./options.js";

interface Ground {
  readonly options: ControlPlaneOptions;
  readonly store: LocalStore;
  readonly security: Security;
  readonly life: { readonly addresses: Addresses };
}

/** Where workers are started, in the order in which they are asked. */
export function poolsOf(ground: Ground): PoolSettings[] {
  return [localPool(ground)];
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
