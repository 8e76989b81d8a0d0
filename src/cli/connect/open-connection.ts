import { invalid } from "../../errors.js";
import { Connection, type HomeControlPlane } from "./connection.js";
import type { NamedServer } from "./server-flags.js";

/**
 * Starts the control plane of the home, or joins a running one.
 *
 * @param adopt experiments to continue if an ended process left them unfinished.
 * @param note shows a sentence of the control plane.
 */
export type OpenHome = (
  adopt: readonly string[],
  note: (sentence: string) => void,
) => Promise<HomeControlPlane>;

/**
 * The connection that a command uses: to the server that it names, or to the home's control plane.
 *
 * @param adopt see `OpenHome`.
 * @param note shows a sentence to the person who waits.
 */
export function openConnection(
  server: NamedServer | undefined,
  openHome: OpenHome,
  adopt: readonly string[],
  note: (sentence: string) => void,
): Promise<Connection> {
  if (server !== undefined) return Promise.resolve(Connection.toServer(server.endpoint));
  let hasJoined = false;
  return Connection.toHome(async (ids) => {
    const controlPlane = await openHome(ids, note);
    if (controlPlane.kind === "started") note(`Dashboard ${controlPlane.dashboard}`);
    if (controlPlane.kind === "joined" && !hasJoined) {
      hasJoined = true;
      note("Another command uses this home; this one shares its worker and may have to wait");
    } else if (controlPlane.kind === "started" && hasJoined) {
      note("The other command has ended; this command continues on its own");
    }
    return controlPlane;
  }, adopt);
}

/**
 * Joins the control plane of the home, or opens the home without running anything where none runs.
 */
export type OpenIdleHome = () => Promise<HomeControlPlane>;

/** The connection of a command that only reads and runs nothing itself. */
export async function openToLook(
  server: NamedServer | undefined,
  openIdleHome: OpenIdleHome,
): Promise<Connection> {
  if (server !== undefined) return Connection.toServer(server.endpoint);
  return Connection.toControlPlane(await openIdleHome());
}

/** @throws StillhouseError INVALID where no control plane would run what is left to it. */
export function requireServer(connection: Connection): void {
  if (!connection.isOwn) return;
  throw invalid(
    "",
    "--detach needs a control plane that keeps running; start one with npm run serve, or name one with --server HOST:PORT",
  );
}
