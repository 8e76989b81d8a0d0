import type { ControlPlane, ControlPlaneOptions } from "./control-plane/options.js";
import { LOOPBACK } from "./control-plane/options.js";
import { RunningControlPlane } from "./control-plane/running.js";
import { openSecurity } from "./security/security.js";
import { homePaths } from "./store/home.js";
import { LocalStore } from "./store/local-store.js";
import { Reserve } from "./store/reserve.js";

export type { ControlPlane, ControlPlaneOptions } from "./control-plane/options.js";
export { type OpenedHome, openHome } from "./open-home.js";

/**
 * Starts the control plane of a home; unfinished experiments continue at once. Throws the reason of
 * `stop` when that ends it.
 */
export async function startControlPlane(options: ControlPlaneOptions): Promise<ControlPlane> {
  const { home, lock, log, host = LOOPBACK, engines = [] } = options;
  const security = { ...options.security, pools: engines.map(({ name }) => name) };
  let running: RunningControlPlane | undefined;
  try {
    new Reserve(homePaths(home).reserve).giveUpIfNeeded();
    const opened = openSecurity(host, security, homePaths(home), log);
    running = new RunningControlPlane(options, LocalStore.open(home, log), opened);
    await running.start();
    return running;
  } catch (error) {
    if (running) await running.stop();
    else lock.release();
    throw error;
  }
}
