import type { Hello } from "../../generated/stillhouse/v1/worker.js";
import type { Log } from "../domain/ports.js";
import type { Admission, WorkerPool } from "../domain/worker-ports.js";
import type { DeviceMemory } from "./device-memory.js";
import type { LeaseClaims } from "./lease-claims.js";
import type { Lease, Leases, Timings } from "./leases.js";
import { placeOf } from "./place.js";
import type { Roster, RosterEntry } from "./roster.js";
import type { WorkerAdmission } from "./worker-admission.js";

export interface ReceptionParts {
  readonly admission: WorkerAdmission;
  readonly claims: LeaseClaims;
  readonly roster: Roster;
  readonly leases: Leases;
  readonly memory: DeviceMemory;
  readonly pool: WorkerPool;
  readonly timings: Timings;
  readonly log: Log;
  /** Port to which workers upload artifacts, on the host that they connected to. */
  readonly grpcPort: () => number;
}

/** The actions that the reception delegates. */
interface ReceptionActions {
  keepRoom(worker: RosterEntry, lease: Lease): void;
  lose(lease: Lease, reason: string): void;
}

/** Admits workers and finds out which tasks they hold. */
export class Reception {
  readonly #parts: ReceptionParts;
  readonly #actions: ReceptionActions;

  constructor(parts: ReceptionParts, actions: ReceptionActions) {
    this.#parts = parts;
    this.#actions = actions;
  }

  admit(hello: Hello): Admission {
    const reason = this.#parts.admission.refusal(hello);
    return reason === undefined ? { kind: "admitted" } : { kind: "refused", reason };
  }

  welcome(hello: Hello): void {
    const { roster, leases, memory, pool, timings, grpcPort, log } = this.#parts;
    const isNew = roster.register({ ...hello, secret: Buffer.alloc(0) });
    if (isNew) leases.noteHello();
    if (isNew && hello.grpcFault !== "") {
      log.warn(`worker ${hello.workerId} can hand in no artifact: ${hello.grpcFault}`);
    }
    const worker = roster.find(hello.workerId);
    if (worker) memory.noteReport(placeOf(worker), hello, hello.taskId === "");
    const heartbeatIntervalS = timings.heartbeatIntervalMs / 1000;
    const value = { heartbeatIntervalS, grpcPort: grpcPort() };
    pool.send(hello.workerId, { $case: "welcome", value });
    this.#reconcile(hello, isNew);
  }

  /** Whether it has said hello to this control plane; if not, it is asked to do so. */
  isKnown(workerId: string): boolean {
    if (this.#parts.roster.has(workerId)) return true;
    this.#parts.pool.send(workerId, { $case: "introduce", value: {} });
    return false;
  }

  /** Compares the task that a worker holds with the one that it should have. */
  #reconcile(hello: Hello, isNew: boolean): void {
    const { leases, claims, roster, pool } = this.#parts;
    const { workerId, taskId, attempt, acknowledged } = hello;
    const lease = leases.leaseOfWorker(workerId);
    const isProven = taskId === "" || claims.isProven("hello", hello, workerId);
    if (isProven && lease?.taskId === taskId && lease.attempt === attempt) {
      this.#goesOn(hello, lease);
      return;
    }
    // A process that claims a task without its secret takes nothing from the one that has it.
    if (lease && isNew && isProven) this.#actions.lose(lease, "it was restarted");
    if (taskId === "") return;
    roster.markSettling(workerId);
    const value = { taskId, attempt, number: acknowledged, fenced: true };
    pool.send(workerId, { $case: "acknowledge", value });
  }

  #goesOn(hello: Hello, lease: Lease): void {
    const { leases, roster, pool, log } = this.#parts;
    const { workerId, taskId, attempt, acknowledged } = hello;
    if (lease.adoption === "awaited") {
      leases.adopt(lease, acknowledged);
      const worker = roster.find(workerId);
      if (worker) this.#actions.keepRoom(worker, lease);
      log.info(`Worker ${workerId} is back and continues task ${taskId}`);
    }
    roster.markBusy(workerId);
    // The order to stop may have been lost with the connection.
    if (lease.cancelledAtMs === undefined) return;
    pool.send(workerId, { $case: "cancel", value: { taskId, attempt } });
  }
}
