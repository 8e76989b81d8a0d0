import type { Place } from "./place.js";
import type { DeviceLoad } from "./roster.js";

/** The memory of a device for tasks, in bytes. */
export interface Room {
  /** Free for one more task now. */
  readonly freeBytes: number;
  /** Available to a single task. */
  readonly capacityBytes: number;
}

/** For a device that does not report its memory. */
export const UNBOUNDED: Room = {
  freeBytes: Number.POSITIVE_INFINITY,
  capacityBytes: Number.POSITIVE_INFINITY,
};

interface Holding {
  totalBytes: number;
  usedBytes: number;
  /** In use while it had no task: by other programs, and by workers that wait. */
  idleBytes: number;
  /** By task. */
  readonly promised: Map<string, number>;
}

/**
 * The memory of the workers' devices. A task counts with what it was promised from its start on,
 * since it takes a while to fill it; what a device reports beyond that counts too.
 */
export class DeviceMemory {
  readonly #holdings = new Map<string, Holding>();
  readonly #holdingsOfTask = new Map<string, Holding[]>();

  /**
   * What is not known changes nothing.
   *
   * @param isIdle whether the worker that reports has no task
   */
  noteReport(
    place: Place,
    load: Pick<DeviceLoad, "memoryTotalBytes" | "memoryUsedBytes">,
    isIdle: boolean,
  ): void {
    if (load.memoryTotalBytes === 0n) return;
    const holding = this.#holdingOf(place);
    holding.totalBytes = Number(load.memoryTotalBytes);
    holding.usedBytes = Number(load.memoryUsedBytes);
    if (isIdle && holding.promised.size === 0) holding.idleBytes = holding.usedBytes;
  }

  /** Promises the task this much memory of each of these devices until it is released. */
  promise(places: readonly Place[], taskId: string, bytes: number): void {
    this.release(taskId);
    const holdings = places.map((place) => this.#holdingOf(place));
    for (const { promised } of holdings) promised.set(taskId, bytes);
    this.#holdingsOfTask.set(taskId, holdings);
  }

  release(taskId: string): void {
    for (const { promised } of this.#holdingsOfTask.get(taskId) ?? []) promised.delete(taskId);
    this.#holdingsOfTask.delete(taskId);
  }

  /** What each of these devices has: that of the fullest, and of the smallest. */
  roomOn(places: readonly Place[]): Room {
    const rooms = places.map((place) => this.#roomOf(place));
    return {
      freeBytes: Math.min(...rooms.map(({ freeBytes }) => freeBytes)),
      capacityBytes: Math.min(...rooms.map(({ capacityBytes }) => capacityBytes)),
    };
  }

  #roomOf(place: Place): Room {
    const holding = this.#holdings.get(keyOf(place));
    if (holding === undefined || holding.totalBytes === 0) return UNBOUNDED;
    const { totalBytes, usedBytes, idleBytes } = holding;
    return {
      freeBytes: totalBytes - Math.max(usedBytes, idleBytes + sum(holding.promised.values())),
      capacityBytes: totalBytes - idleBytes,
    };
  }

  promisedBytes(place: Place): number {
    return sum(this.#holdings.get(keyOf(place))?.promised.values() ?? []);
  }

  /** Forgets devices that have no worker any more. */
  keepOnly(places: readonly Place[]): void {
    const kept = new Set(places.map(keyOf));
    for (const [key, { promised }] of this.#holdings) {
      if (!kept.has(key) && promised.size === 0) this.#holdings.delete(key);
    }
  }

  #holdingOf(place: Place): Holding {
    const key = keyOf(place);
    const known = this.#holdings.get(key);
    if (known) return known;
    const holding = { totalBytes: 0, usedBytes: 0, idleBytes: 0, promised: new Map() };
    this.#holdings.set(key, holding);
    return holding;
  }
}

/** Eight GPUs may be "cuda:0" each for a worker of its own, and one may have several names. */
export function keyOf({ machine, device, id = "" }: Place): string {
  return id === "" ? JSON.stringify([machine, device]) : id;
}

function sum(values: Iterable<number>): number {
  let total = 0;
  for (const value of values) total += value;
  return total;
}
