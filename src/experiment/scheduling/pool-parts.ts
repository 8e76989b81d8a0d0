import type { LaunchStore } from "../domain/launcher-ports.js";
import type { Clock, Ids, Log } from "../domain/ports.js";
import type { WorkerExit } from "../domain/worker-ports.js";
import type { Roster } from "./roster.js";

export interface PoolParts {
  readonly roster: Roster;
  readonly launches: LaunchStore;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly log: Log;
}

/** The actions that a pool delegates. */
export interface PoolActions {
  /** @param isKnownCause whether it says nothing about whether the next one would start */
  ended(workerId: string, exit: WorkerExit, isKnownCause: boolean): void;
  dismiss(workerId: string): void;
}
