import type { Acknowledge } from "../../generated/stillhouse/v1/worker.js";
import type { WorkerPool } from "../domain/worker-ports.js";
import type { DeviceMemory } from "./device-memory.js";
import type { Lease, Leases } from "./leases.js";
import type { Roster } from "./roster.js";

export interface AttemptParts {
  readonly leases: Leases;
  readonly memory: DeviceMemory;
  readonly roster: Roster;
  readonly pool: WorkerPool;
}

/** The attempt is over, and its worker no longer computes. */
export function release(
  { leases, memory, roster }: Pick<AttemptParts, "leases" | "memory" | "roster">,
  { taskId, workerId }: Lease,
): void {
  leases.release(taskId);
  memory.release(taskId);
  roster.markFree(workerId);
}

/**
 * The attempt is over, but its worker still holds the task and drops it before it takes another.
 */
export function takeBack(parts: AttemptParts, lease: Lease): void {
  release(parts, lease);
  parts.roster.markSettling(lease.workerId);
  acknowledge(parts.pool, lease.workerId, lease, { number: lease.lastReport, fenced: true });
}

/** Tells a worker up to which number its reports of an attempt are taken in. */
export function acknowledge(
  pool: WorkerPool,
  workerId: string,
  { taskId, attempt }: Pick<Acknowledge, "taskId" | "attempt">,
  { number, fenced }: Pick<Acknowledge, "number" | "fenced">,
): void {
  pool.send(workerId, { $case: "acknowledge", value: { taskId, attempt, number, fenced } });
}
