import { FailureKind } from "../../errors.js";
import { StorageFault } from "../../experiment/domain/storage-fault.js";
import type { Fault } from "./link.js";
import { isUnanswered } from "./unanswered.mjs";

/** Why a database that answers cannot be used, by the start of PostgreSQL's code. */
const REASONS: readonly (readonly [code: string, says: string, isLasting: boolean])[] = [
  ["25006", "is read-only, as a replica is: give the address of the primary server", false],
  ["28", "does not let this user in: check the user, and PGPASSWORD or ~/.pgpass", true],
  ["3D000", "does not exist: create it with createdb", true],
  ["42501", "lacks rights for this user: make it the owner of the database", true],
  ["53300", "takes no more connections: raise its max_connections", false],
  ["XX001", "is damaged: restore it from a dump or a replica", true],
  ["XX002", "is damaged: restore it from a dump or a replica", true],
];

/**
 * An error of PostgreSQL or of the connection as one sentence with the remedy: a StorageFault where
 * nothing can be stored, the error itself where one statement is to blame.
 *
 * @param name the database, without a password
 */
export function postgresFailure(fault: Fault, name: string): Error {
  const { message } = fault;
  // The client asks for a password itself, and gives no code where it has none.
  const code = message.startsWith("SASL") ? "28P01" : fault.code;
  const cause = Object.assign(new Error(message), { code });
  if (code === "53100") {
    const says = "has no room left: free some space on the disk of its server";
    return new StorageFault(FailureKind.EXHAUSTED, `${name} ${says}`, { cause, retryable: true });
  }
  const reason = REASONS.find(([start]) => code.startsWith(start));
  if (reason) {
    const [, says, isLasting] = reason;
    const details = { cause, isLasting, retryable: !isLasting };
    return new StorageFault(FailureKind.ENVIRONMENT, `${name} ${says}`, details);
  }
  if (isUnanswered(fault) || /^(40|53|55P03|57|58)/.test(code)) {
    const says = `cannot be reached: ${message}; check that the server runs`;
    return new StorageFault(FailureKind.ENVIRONMENT, `${name} ${says}`, { cause, retryable: true });
  }
  return cause;
}

/** Another control plane leads: whatever this one still holds is out of date. */
export function leadershipLost(name: string): StorageFault {
  return new StorageFault(
    FailureKind.ENVIRONMENT,
    `another control plane leads on ${name} since this one's lease ended; start it again to stand by`,
    { isLasting: true },
  );
}

/** A change was stored after all, so what this process holds is out of date. */
export function storedAfterAll(name: string): StorageFault {
  return new StorageFault(
    FailureKind.ENVIRONMENT,
    `${name} stored a change whose answer was lost with the connection; start the control plane again, which reads what is stored`,
    { isLasting: true },
  );
}
