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

/** The attempt is over, and its worker no longer computes; others of its team drop it. */
export function release(parts: AttemptParts, lease: Lease): void {
  const { leases, memory, roster } = parts;
  const { taskId, workerId } = lease;
  leases.release(taskId);
  memory.release(taskId);
  roster.markFree(workerId);
  // Without their leader the others have nothing to do.
  for (const member of leases.membersOf(lease)) takeBack(parts, member);
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
