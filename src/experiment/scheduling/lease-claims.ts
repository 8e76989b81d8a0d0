import { createHash, randomBytes, timingSafeEqual } from "node:crypto";
import { fewWarnings } from "../domain/line-rate.js";
import type { ClaimingMessage, Observer } from "../domain/observer.js";
import type { Log } from "../domain/ports.js";
import type { LeaseStore } from "../domain/storage-ports.js";
import { seatNamed } from "./team-seat.js";

/** 256 bits: nobody guesses one, and a fast hash of it is as good as a slow one. */
const SECRET_BYTES = 32;
/** More than a team has. */
const MAX_MEMBERS = 100_000;

/** The claim of a message: which attempt it is about, and the secret that proves it. */
export interface LeaseClaim {
  readonly taskId: string;
  readonly attempt: number;
  readonly secret: Uint8Array;
}

export interface LeaseClaimsParts {
  readonly store: LeaseStore;
  readonly observer: Pick<Observer, "claimRefused">;
  readonly log: Log;
}

/**
 * The secrets of all attempts. A task's id and the number of its attempt are no secrets, so they
 * prove nothing: a message about an attempt must contain the secret that was assigned with it. Only
 * hashes are stored, also those of earlier attempts, whose reports may come late.
 */
export class LeaseClaims {
  readonly #store: LeaseStore;
  readonly #observer: Pick<Observer, "claimRefused">;
  readonly #log: Pick<Log, "warn">;

  constructor({ store, observer, log }: LeaseClaimsParts) {
    this.#store = store;
    this.#observer = observer;
    this.#log = fewWarnings(log);
  }

  /** The secret of an attempt that is about to be assigned. It is returned once. */
  issue(taskId: string, attempt: number): Buffer {
    const secret = randomBytes(SECRET_BYTES);
    this.#store.keepSecret(...storedAs(taskId, attempt), hashOf(secret));
    return secret;
  }

  /**
   * Whether a message has the secret of the attempt that it is about; if not, that is counted.
   *
   * @param sender for the log
   */
  isProven(message: ClaimingMessage, claim: LeaseClaim, sender: string): boolean {
    const { taskId, attempt, secret } = claim;
    const expected = this.#store.findSecret(...storedAs(taskId, attempt));
    // Hashes have one length, and how they differ reveals nothing about the secret.
    if (expected !== undefined && timingSafeEqual(expected, hashOf(secret))) return true;
    this.#observer.claimRefused(message);
    const what = `attempt ${attempt} of task ${JSON.stringify(taskId)}`;
    const why = secret.length === 0 ? "without its secret" : "with another secret than its own";
    this.#log.warn(`${message} of ${sender} about ${what} was refused: it came ${why}`);
    return false;
  }
}

/** Those of members are beside the attempts of their task, which count from 1, and go with it. */
function storedAs(id: string, attempt: number): [taskId: string, attempt: number] {
  const { taskId, rank } = seatNamed(id);
  return [taskId, rank === 0 ? attempt : -(attempt * MAX_MEMBERS + rank)];
}

function hashOf(secret: Uint8Array): Buffer {
  return createHash("sha256").update(secret).digest();
}
