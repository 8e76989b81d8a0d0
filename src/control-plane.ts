import { rmSync } from "node:fs";
import { join } from "node:path";
import type { ControlPlane, ControlPlaneOptions } from "./control-plane/options.js";
import { LOOPBACK } from "./control-plane/options.js";
import { RunningControlPlane } from "./control-plane/running.js";
import { openSecurity } from "./security/security.js";
import { type HomePaths, homePaths } from "./store/home.js";
import { LocalStore } from "./store/local-store.js";
import type { Leadership } from "./store/postgres/leadership.js";
import { Reserve } from "./store/reserve.js";

export type { ControlPlane, ControlPlaneOptions } from "./control-plane/options.js";
export { type OpenedHome, openHome } from "./open-home.js";

/**
 * Starts the control plane of a home; unfinished experiments continue at once. Throws the reason of
 * `stop` when that ends it.
 */
export async function startControlPlane(options: ControlPlaneOptions): Promise<ControlPlane> {
  const { home, lock, leadership, log, host = LOOPBACK, engines = [] } = options;
  const security = { ...options.security, pools: engines.map(({ name }) => name) };
  let running: RunningControlPlane | undefined;
  try {
    new Reserve(homePaths(home).reserve).giveUpIfNeeded();
    const opened = openSecurity(host, security, pathsOf(home, leadership), log);
    const store = LocalStore.open(home, log, leadership?.databases);
    running = new RunningControlPlane(options, store, opened);
    await running.start();
    return running;
  } catch (error) {
    if (running) await running.stop();
    else lock.release();
    throw error;
  }
}

/** Several may share a home and lead in turn; one that ends late takes only its own keys with it. */
function pathsOf(home: string, leadership: Leadership | undefined): HomePaths {
  const paths = homePaths(home);
  if (!leadership) return paths;
  rmSync(paths.session, { recursive: true, force: true });
  return { ...paths, session: join(paths.session, String(leadership.epoch)) };
}
