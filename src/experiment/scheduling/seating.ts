import { type DeviceMemory, keyOf, type Room } from "./device-memory.js";
import { type DeviceNeeds, deviceKind, devicesFor } from "./device-needs.js";
import { placeNamed, placeOf } from "./place.js";
import type { Roster, RosterEntry } from "./roster.js";

export interface SeatingParts {
  readonly roster: Pick<Roster, "workers" | "isFree">;
  readonly memory: Pick<DeviceMemory, "roomOn">;
}

/** A worker as one of a team, and its device. */
interface Candidate extends Room {
  readonly worker: RosterEntry;
  readonly key: string;
}

/** No room now, and none later: the task is left out. */
export const NO_ROOM: Room = { freeBytes: -1, capacityBytes: -1 };

/**
 * The workers that could have a task together, each on a device of its own, as they are now. A team
 * is had whole or not at all, and what waits for one holds nothing: its workers are kept free of
 * later tasks once it has waited long, by the same rule as a device for a task that needs much of it.
 */
export class Seating {
  readonly #kind: string;
  readonly #parts: SeatingParts;
  #workers: readonly RosterEntry[] | undefined;
  #allSeats: ReadonlyMap<string, Candidate> | undefined;
  readonly #waiting = new Map<string, ReadonlySet<string>>();

  /** @param kind of device: "cpu" or "cuda" */
  constructor(kind: string, parts: SeatingParts) {
    this.#kind = kind;
    this.#parts = parts;
  }

  /** Devices of the kind, each with a worker that can be one of a team, whatever it does. */
  get numSeats(): number {
    return this.#all().size;
  }

  /**
   * Whether a task is for a team. One host is enough for a task on CUDA that has as many devices
   * there; a task on CPUs has several hosts where there are as many.
   */
  isForTeam(needs: DeviceNeeds): boolean {
    if (needs.numMembers === 1) return false;
    if (this.#kind !== "cuda") return this.numSeats >= needs.numMembers;
    const fleet = this.#fleet();
    return fleet.length > 0 && !fleet.some((worker) => mayHold(worker, needs));
  }

  /** The room that a team has for a task, as one of its workers sees it that may be free. */
  roomFor(needs: DeviceNeeds & { readonly memoryBytes: number }, worker: RosterEntry): Room {
    const key = JSON.stringify([needs.numMembers, needs.memoryBytes]);
    const kept = this.#waiting.get(key);
    if (kept) return this.#roomWhileItWaits(kept, worker, needs);
    const free = this.#free(needs.memoryBytes);
    const last = free[needs.numMembers - 1];
    if (last) return { freeBytes: last.freeBytes, capacityBytes: last.capacityBytes };
    // Workers only become fewer until the next round, so that it waits until then.
    const places = new Set(free.map((each) => each.key));
    this.#waiting.set(key, places);
    return this.#roomWhileItWaits(places, worker, needs);
  }

  /** The workers of a task for which there is room, the leader first. */
  workersFor(needs: DeviceNeeds & { readonly memoryBytes: number }): RosterEntry[] {
    const team = this.#free(needs.memoryBytes).slice(0, needs.numMembers);
    // Others reach a leader only at an address that leads to its machine.
    const isReached = ({ worker: { hello } }: Candidate) => !isLoopback(hello?.address ?? "");
    const leader = Math.max(0, team.findIndex(isReached));
    const [first] = team.splice(leader, 1);
    return first ? [first.worker, ...team.map(({ worker }) => worker)] : [];
  }

  /** Call after tasks were given away. */
  refresh(): void {
    this.#workers = undefined;
  }

  #roomWhileItWaits(places: ReadonlySet<string>, worker: RosterEntry, needs: DeviceNeeds): Room {
    if (!places.has(keyOf(placeOf(worker)))) return NO_ROOM;
    const capacities = [...this.#all().values()].map(({ capacityBytes }) => capacityBytes);
    const capacityBytes = capacities.sort((a, b) => b - a)[needs.numMembers - 1];
    return capacityBytes === undefined ? NO_ROOM : { freeBytes: -1, capacityBytes };
  }

  /** One worker a device that has this much room, those with the most first. */
  #free(memoryBytes: number): Candidate[] {
    const { roster } = this.#parts;
    const free = this.#seats((worker) => roster.isFree(worker));
    return [...free.values()]
      .filter(({ freeBytes }) => freeBytes >= memoryBytes)
      .sort((a, b) => order(b.freeBytes, a.freeBytes));
  }

  /** One worker a device, whatever it does. */
  #all(): ReadonlyMap<string, Candidate> {
    this.#allSeats ??= this.#seats(() => true);
    return this.#allSeats;
  }

  #seats(isWanted: (worker: RosterEntry) => boolean): Map<string, Candidate> {
    const seats = new Map<string, Candidate>();
    for (const worker of this.#fleet()) {
      const place = placeOf(worker);
      const key = keyOf(place);
      // Workers of earlier versions know of no teams, and tell no address.
      if (seats.has(key) || !worker.hello?.address || !isWanted(worker)) continue;
      seats.set(key, { worker, key, ...this.#parts.memory.roomOn([place]) });
    }
    return seats;
  }

  #fleet(): readonly RosterEntry[] {
    this.#workers ??= this.#parts.roster
      .workers()
      .filter(
        ({ hello, device, state, isDraining }) =>
          hello && deviceKind(device) === this.#kind && state !== "leaving" && !isDraining,
      );
    return this.#workers;
  }
}

/** Whether a worker sees all devices that a task computes on; one that does not tell may. */
export function mayHold(worker: RosterEntry, needs: DeviceNeeds): boolean {
  const known = worker.hello?.deviceIds ?? {};
  const devices = devicesFor(needs, placeOf(worker).device);
  const isKnown = Object.keys(known).some((name) => deviceKind(name) === "cuda");
  return !isKnown || devices.every((device) => placeNamed(worker, device).id !== "");
}

function isLoopback(address: string): boolean {
  return address.startsWith("127.") || address === "::1";
}

/** Also of infinite numbers. */
function order(a: number, b: number): number {
  return a === b ? 0 : a - b;
}
