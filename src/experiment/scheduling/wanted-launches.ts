import type { LaunchShape, PoolSettings } from "../domain/launcher-ports.js";
import { deviceKind } from "./device-needs.js";

/** Ready tasks that need the same, or workers that have the same. */
export interface Demand extends LaunchShape {
  readonly count: number;
}

/** What a pool has and may have. */
export interface PoolRoom {
  /** Its workers that wait, start or are idle: each can have one task. */
  readonly coming: readonly Demand[];
  /** How many more it may ask for. */
  readonly numFree: number;
  /** The most that one worker can have, for each kind of device; absent: any task fits. */
  readonly largest: readonly LaunchShape[] | undefined;
}

export interface Wanted {
  /** To be asked for, one each. */
  readonly launches: readonly LaunchShape[];
  /** What the pool leaves to others. */
  readonly rest: readonly Demand[];
}

/**
 * The workers that a pool should ask for: one for each ready task that none of those that come or
 * are idle will have. None is asked for that could not hold its task. Those with large needs choose
 * first, since what is large enough for them would do for the others too.
 */
export function wantedLaunches(demands: readonly Demand[], room: PoolRoom): Wanted {
  const coming = room.coming.map((shape) => ({ ...shape })).sort(smallestFirst);
  const launches: LaunchShape[] = [];
  const rest: Demand[] = [];
  for (const demand of [...demands].sort(largestFirst)) {
    const uncovered = demand.count - take(coming, demand);
    const mayHold = canHold(room.largest, demand);
    const numAsked = mayHold ? Math.min(uncovered, room.numFree - launches.length) : 0;
    const { device, numDevices, memoryBytes } = demand;
    for (let at = 0; at < numAsked; at++) launches.push({ device, numDevices, memoryBytes });
    if (uncovered > numAsked) rest.push({ ...demand, count: uncovered - numAsked });
  }
  return { launches, rest };
}

/** Whether a worker of this shape can have a task with these needs. */
export function holds(shape: LaunchShape, needs: LaunchShape): boolean {
  return (
    deviceKind(shape.device) === deviceKind(needs.device) &&
    shape.numDevices >= needs.numDevices &&
    boundOf(shape) >= needs.memoryBytes
  );
}

export function canHold(largest: readonly LaunchShape[] | undefined, needs: LaunchShape): boolean {
  return largest === undefined || largest.some((shape) => holds(shape, needs));
}

/** A task for which no worker of a pool has devices enough wants as many workers with one each. */
export function inTeams(demands: readonly Demand[], pools: readonly Limits[]): Demand[] {
  const used = pools.filter(({ most }) => most > 0);
  return demands.map((demand) => {
    const { numDevices, count } = demand;
    const fits = numDevices === 1 || used.some(({ largest }) => canHold(largest, demand));
    return fits ? demand : { ...demand, numDevices: 1, count: count * numDevices };
  });
}

type Limits = Pick<PoolSettings, "largest" | "most">;

/** Whether it is known what workers will have before the first one is there. */
export function areBounded(pools: readonly Limits[]): boolean {
  const used = pools.filter(({ most }) => most > 0);
  return used.length > 0 && used.every(({ largest }) => largest !== undefined);
}

/** Memory that a worker of the pool has for such a task at most; below 0 where it starts none. */
export function mostBytesIn({ largest = [], most }: Limits, needs: LaunchShape): number {
  if (most === 0) return Number.NEGATIVE_INFINITY;
  const able = largest.filter((shape) => holds({ ...shape, memoryBytes: 0 }, needs));
  return Math.max(...able.map(boundOf));
}

/** Takes the smallest that hold it. @param coming the smallest first @returns how many */
function take(coming: { -readonly [Part in keyof Demand]: Demand[Part] }[], demand: Demand) {
  let numTaken = 0;
  for (const shape of coming) {
    if (!holds(shape, demand)) continue;
    const taken = Math.min(shape.count, demand.count - numTaken);
    shape.count -= taken;
    numTaken += taken;
  }
  return numTaken;
}

function smallestFirst(a: LaunchShape, b: LaunchShape): number {
  return a.numDevices - b.numDevices || boundOf(a) - boundOf(b);
}

function boundOf({ memoryBytes }: LaunchShape): number {
  return memoryBytes === 0 ? Number.POSITIVE_INFINITY : memoryBytes;
}

function largestFirst(a: Demand, b: Demand): number {
  return b.numDevices - a.numDevices || b.memoryBytes - a.memoryBytes;
}
