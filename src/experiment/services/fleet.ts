import { noSuch } from "../../errors.js";
import {
  type DrainWorkerRequest,
  type DrainWorkerResponse,
  type ListWorkersRequest,
  type ListWorkersResponse,
  Worker,
  WorkerPool,
  WorkerState,
} from "../../generated/stillhouse/v1/service.js";
import { pageOf } from "../domain/page-token.js";
import type { Clock } from "../domain/ports.js";
import type { DeviceMemory } from "../scheduling/device-memory.js";
import type { Dispatcher } from "../scheduling/dispatcher.js";
import type { Leases } from "../scheduling/leases.js";
import { placeOf } from "../scheduling/place.js";
import type { Roster, RosterEntry } from "../scheduling/roster.js";
import { taskOf } from "../scheduling/team-seat.js";

export interface FleetParts {
  readonly roster: Roster;
  readonly leases: Leases;
  readonly memory: DeviceMemory;
  readonly dispatcher: Dispatcher;
  readonly clock: Clock;
}

/** The operations on workers. */
export class Fleet {
  readonly #parts: FleetParts;

  constructor(parts: FleetParts) {
    this.#parts = parts;
  }

  /** A page of them in the order of their ids. Throws INVALID. */
  list(request: ListWorkersRequest): ListWorkersResponse {
    const entries = this.#parts.roster.workers();
    entries.sort((a, b) => (a.workerId < b.workerId ? -1 : 1));
    const bytesOf = (entry: RosterEntry) => Worker.encode(this.#message(entry)).finish().length;
    const nameOf = ({ workerId }: RosterEntry) => workerId;
    const { page, nextPageToken } = pageOf("workers", entries, request, nameOf, bytesOf);
    const pools = request.pageToken === "" ? this.#pools() : [];
    return { workers: page.map((entry) => this.#message(entry)), nextPageToken, pools };
  }

  /** Every worker, in no order. */
  all(): Worker[] {
    return this.#parts.roster.workers().map((entry) => this.#message(entry));
  }

  /** Throws NOT_FOUND. Does nothing for a worker that is draining already. */
  drain({ workerId }: DrainWorkerRequest): DrainWorkerResponse {
    const { roster, dispatcher } = this.#parts;
    const entry = roster.find(workerId);
    if (entry === undefined) throw noSuch("worker", workerId);
    dispatcher.drainWorker(workerId);
    return { worker: this.#message({ ...entry, isDraining: true }) };
  }

  #pools(): WorkerPool[] {
    const { roster, dispatcher, clock } = this.#parts;
    return dispatcher.pools.all().map(({ settings: { name, most }, fault }) => {
      const numPending = roster.numPendingOf(name);
      const waitMs = (fault?.untilMs ?? 0) - clock.monotonicMs();
      return WorkerPool.fromPartial({
        name,
        maxWorkers: most,
        numPending,
        numRunning: roster.numLaunchedBy(name) - numPending,
        fault: fault?.reason ?? "",
        retryTime: fault && new Date(clock.now().getTime() + waitMs),
      });
    });
  }

  #message(entry: RosterEntry): Worker {
    const { leases, memory, clock, roster } = this.#parts;
    const { workerId, hello, launch, load } = entry;
    const lease = leases.leaseOfWorker(workerId);
    const agoMs = clock.monotonicMs() - entry.heardAtMs;
    const asideForMs = roster.asideForMs(entry);
    const nowMs = clock.now().getTime();
    return Worker.fromPartial({
      id: workerId,
      state: stateOf(entry, asideForMs > 0),
      setAsideUntil: asideForMs > 0 ? new Date(nowMs + asideForMs) : undefined,
      host: hello?.host ?? launch?.node ?? "",
      pool: launch?.pool ?? "",
      reason: hello ? hello.grpcFault : (launch?.reason ?? ""),
      device: hello?.device ?? entry.device,
      deviceName: hello?.deviceName ?? "",
      versions: hello?.versions ?? {},
      memoryTotalBytes: load?.memoryTotalBytes ?? 0n,
      memoryUsedBytes: load?.memoryUsedBytes ?? 0n,
      memoryPromisedBytes: BigInt(memory.promisedBytes(placeOf(entry))),
      utilisation: load?.utilisation ?? 0,
      taskId: lease === undefined ? "" : taskOf(lease),
      experimentId: lease?.experimentId ?? "",
      lastHeardTime: new Date(nowMs - agoMs),
    });
  }
}

function stateOf({ state, isDraining }: RosterEntry, isSetAside: boolean): WorkerState {
  if (isDraining || state === "leaving") return WorkerState.DRAINING;
  if (isSetAside) return WorkerState.SET_ASIDE;
  switch (state) {
    case "pending":
      return WorkerState.PENDING;
    case "starting":
      return WorkerState.STARTING;
    case "idle":
      return WorkerState.IDLE;
    case "busy":
    case "settling":
      return WorkerState.BUSY;
  }
}
