import { FailureKind } from "../../errors.js";
import type { Experiment } from "../../generated/stillhouse/v1/experiment.js";
import type { Failure } from "../../generated/stillhouse/v1/failure.js";
import { experimentIdOf } from "../domain/plan.js";
import type { Log } from "../domain/ports.js";
import type { Ledger } from "./ledger.js";
import type { Pools } from "./pools.js";
import type { FailedWork, Roster } from "./roster.js";

/** A worker on which this many different specs failed in a row may be at fault itself. */
const MIN_FAILED_SPECS = 5;
const FIRST_ASIDE_MS = 60_000;
const MAX_ASIDE_MS = 3_600_000;

export interface WorkerTrustParts {
  readonly roster: Roster;
  readonly ledger: Ledger;
  readonly log: Log;
}

/** The part of them that it uses. */
interface TrustedParts extends Omit<WorkerTrustParts, "ledger"> {
  readonly ledger: Pick<Ledger, "find" | "ownersOfUnfinished">;
}

/**
 * Sets a worker aside for a while if everything fails on it that may be its own fault. Failures of
 * one spec are those of the spec, and failures of one owner are that owner's while others have work
 * that was not tried. After its time it is given the next task as any other; one more failure of
 * something else then puts it aside for twice as long, and a success clears it.
 */
export class WorkerTrust {
  readonly #parts: TrustedParts;
  readonly #pools: Pick<Pools, "dismiss">;

  constructor(parts: TrustedParts, pools: Pick<Pools, "dismiss">) {
    this.#parts = parts;
    this.#pools = pools;
  }

  noteSuccess(workerId: string): void {
    this.#parts.roster.noteSuccess(workerId);
  }

  /** A worker that was launched from here is replaced instead. */
  noteFailure(workerId: string, taskId: string, failure: Failure): void {
    const { roster, ledger } = this.#parts;
    const experiment = ledger.find(experimentIdOf(taskId))?.experiment;
    if (experiment === undefined || !mayBeTheWorkers(failure.kind)) return;
    const before = roster.find(workerId)?.failedWork ?? [];
    const failedWork = roster.noteFailure(workerId, workOf(experiment));
    // A repeated failure says nothing that was not known when it was last set aside.
    if (failedWork.length === before.length || !this.#isSuspect(failedWork)) return;
    if (roster.find(workerId)?.launch) this.#restart(workerId, failure);
    else this.#setAside(workerId, failedWork, failure);
  }

  #isSuspect(failedWork: readonly FailedWork[]): boolean {
    if (new Set(failedWork.map(({ spec }) => spec)).size < MIN_FAILED_SPECS) return false;
    const owners = new Set(failedWork.map(({ owner }) => owner));
    const others = this.#parts.ledger.ownersOfUnfinished().filter((owner) => !owners.has(owner));
    return owners.size > 1 || others.length === 0;
  }

  #restart(workerId: string, failure: Failure): void {
    this.#parts.log.warn(`worker ${workerId} is replaced: ${said(failure)}`);
    this.#pools.dismiss(workerId);
  }

  #setAside(workerId: string, failedWork: readonly FailedWork[], failure: Failure): void {
    const { roster, log } = this.#parts;
    const forMs = Math.min(MAX_ASIDE_MS, FIRST_ASIDE_MS * 2 ** roster.timesSetAside(workerId));
    roster.setAside(workerId, forMs);
    log.warn(
      `worker ${workerId} is set aside for ${forMs / 60_000} min: ${failedWork.length} different specs failed on it in a row, ${said(failure)}`,
    );
  }
}

function said({ message }: Failure): string {
  return `the last with: ${message}`;
}

/** The hash of a spec leaves its name out, so that the same work under two names is one. */
function workOf({ owner, specHash }: Experiment): FailedWork {
  return { owner, spec: specHash };
}

/** Whether a failure may be due to the worker, and not to what it was asked to do. */
function mayBeTheWorkers(kind: FailureKind): boolean {
  return (
    kind === FailureKind.EXHAUSTED ||
    kind === FailureKind.ENVIRONMENT ||
    kind === FailureKind.INTERNAL
  );
}
