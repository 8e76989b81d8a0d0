import type { PoolSettings } from "../domain/launcher-ports.js";
import type { Pool } from "./pool.js";
import type { ReadyTasks } from "./ready-tasks.js";
import type { Roster } from "./roster.js";
import { canHold } from "./wanted-launches.js";

/** What a pool has and would have, for those who watch over it. */
export interface PoolFigures {
  readonly name: string;
  /** Most workers that it may have. */
  readonly most: number;
  /** Workers that would have a task: those that have one, and one per ready task that fits. */
  readonly numWanted: number;
  /** Orders that the engine has not answered. */
  readonly numAsked: number;
  /** Those that wait in the engine's queue. */
  readonly numPending: number;
  /** Those that the engine has started. */
  readonly numRunning: number;
  /** Orders that the engine has refused since the start. */
  readonly numRefused: number;
}

/** The figures of a pool at this moment. */
export function figuresOf(pool: Pool, roster: Roster, ready: ReadyTasks): PoolFigures {
  const { settings, numAsked, numRefused } = pool;
  const { name, most } = settings;
  const withoutTask = roster.withoutTaskOf(name);
  const numWaiting = roster.numPendingOf(name);
  const numLaunched = roster.numLaunchedBy(name);
  return {
    ...{ name, most, numAsked, numRefused },
    numWanted: numLaunched - withoutTask.length + numFitting(settings, ready),
    // One may be said to run before the answer to its order is here.
    numPending: Math.max(0, numWaiting - numAsked),
    numRunning: numLaunched - numWaiting,
  };
}

/** Ready tasks that a worker of the pool could hold. */
function numFitting({ largest }: PoolSettings, ready: ReadyTasks): number {
  return [...ready.numReadyByKind().keys()]
    .flatMap((kind) => ready.demands(kind))
    .filter((demand) => canHold(largest, demand))
    .reduce((sum, { count }) => sum + count, 0);
}
