import type { StillhouseError } from "../../errors.js";
import type { Connection } from "../connect/connection.js";
import {
  type OpenHome,
  type OpenIdleHome,
  openConnection,
  openToLook,
} from "../connect/open-connection.js";
import type { NamedServer } from "../connect/server-flags.js";
import type { ProgressDisplay } from "../progress/progress-display.js";
import { aborted, type Interruption } from "../terminal/interruption.js";

/** What a command does its work with, while it has a control plane. */
export interface Session {
  readonly connection: Connection;
  readonly progress: ProgressDisplay;
  /** When it aborts, what runs is stopped after a checkpoint. */
  readonly stop: AbortSignal;
  /** For what can just be dropped: fails at the first interruption. */
  untilStopped<T>(work: Promise<T>): Promise<T>;
}

/** Which control plane a session is with. */
export interface SessionRequest {
  readonly server: NamedServer | undefined;
  /** Whether experiments are only stored, and left to the control plane. */
  readonly isDetached: boolean;
  /** Experiments to continue if an ended process left them unfinished; none where absent. */
  readonly adopt?: readonly string[];
}

export interface SessionSurroundings {
  readonly interruption: Interruption;
  readonly openHome: OpenHome;
  readonly openIdleHome: OpenIdleHome;
}

/**
 * Opens the control plane for some work, which a second interruption ends at once.
 *
 * @param interrupted makes the error of an interruption, at that moment
 * @throws StillhouseError CANCELLED when interrupted; what the work throws
 */
export async function withSession<T>(
  request: SessionRequest,
  surroundings: SessionSurroundings,
  progress: ProgressDisplay,
  interrupted: () => StillhouseError,
  work: (session: Session) => Promise<T>,
): Promise<T> {
  const { stop, kill } = surroundings.interruption;
  let connection: Connection | undefined;
  // Once: a long search asks many times, and each would leave a listener behind.
  const stopping = aborted(stop);
  const killed = aborted(kill).then(() => {
    connection?.kill();
    throw interrupted();
  });
  const untilStopped = <R>(pending: Promise<R>) => {
    const stopped = stopping.then(() => {
      throw interrupted();
    });
    return Promise.race([stopped, pending]);
  };
  const run = async () => {
    connection = await opened(request, surroundings, progress);
    try {
      return await work({ connection, progress, stop, untilStopped });
    } finally {
      progress.close();
      await connection.close();
    }
  };
  return Promise.race([killed, run()]);
}

function opened(
  { server, isDetached, adopt = [] }: SessionRequest,
  { openHome, openIdleHome }: SessionSurroundings,
  progress: ProgressDisplay,
): Promise<Connection> {
  if (isDetached) return openToLook(server, openIdleHome);
  return openConnection(server, openHome, adopt, (sentence) => progress.note(sentence));
}
