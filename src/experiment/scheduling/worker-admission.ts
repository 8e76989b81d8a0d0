import { toFailure } from "../../errors.js";
import type { Hello } from "../../generated/stillhouse/v1/worker.js";
import { fewWarnings } from "../domain/line-rate.js";
import type { Observer } from "../domain/observer.js";
import type { Clock, Ids, Log } from "../domain/ports.js";
import type { WorkerIdStore } from "../domain/storage-ports.js";
import type { WorkerKeys } from "../domain/worker-ports.js";

/** Of worker.proto; the first one without secrets had no number. */
const PROTOCOL = 2;
const MAX_WORKER_ID_BYTES = 128;

/** Whether a worker that says hello is one that was launched from here, by its id. */
export type Standing =
  /** @param keyOwner name of the key that it must have, where keys are required */
  | { readonly kind: "launched"; readonly keyOwner: string | undefined }
  | { readonly kind: "ended" }
  | { readonly kind: "other" };

export interface WorkerAdmissionParts {
  readonly standingOf: (workerId: string) => Standing;
  readonly keys: WorkerKeys;
  readonly workerIds: WorkerIdStore;
  readonly ids: Pick<Ids, "isOfWorker">;
  readonly observer: Pick<Observer, "workerRefused">;
  readonly clock: Clock;
  readonly log: Log;
}

/**
 * Decides who may work under which id. An id belongs to the key that first used it, so that no
 * worker can take another one's place; a key may have several ids, one per process. Where no keys
 * are required, ids belong to nobody.
 */
export class WorkerAdmission {
  readonly #parts: WorkerAdmissionParts;
  readonly #log: Pick<Log, "warn">;

  constructor(parts: WorkerAdmissionParts) {
    this.#parts = parts;
    this.#log = fewWarnings(parts.log);
  }

  /** Why the worker may not work here, with what its owner can do; undefined: it may. */
  refusal(hello: Hello): string | undefined {
    const reason = this.#fault(hello) ?? this.#keyFault(hello);
    if (reason === undefined) return undefined;
    const { observer } = this.#parts;
    observer.workerRefused();
    const [id, host] = [hello.workerId, hello.host].map((text) => JSON.stringify(short(text)));
    this.#log.warn(`worker ${id} of host ${host} was refused: ${reason}`);
    return reason;
  }

  #fault({ protocol, workerId }: Hello): string | undefined {
    if (protocol < PROTOCOL) {
      return "the worker's version of Stillhouse is too old for this control plane; update it (git pull) and start it again";
    }
    const numBytes = Buffer.byteLength(workerId);
    if (numBytes > 0 && numBytes <= MAX_WORKER_ID_BYTES) return this.#launchFault(workerId);
    return `a worker's id has 1 to ${MAX_WORKER_ID_BYTES} bytes, got ${numBytes}; give it another one with --id`;
  }

  /** An engine may lose sight of a worker that runs on; what it had is another one's by then. */
  #launchFault(workerId: string): string | undefined {
    if (this.#parts.standingOf(workerId).kind !== "ended") return undefined;
    return `the launch ${workerId} has ended for this control plane, which starts others instead`;
  }

  #keyFault({ workerId, token }: Hello): string | undefined {
    const { keys, workerIds, ids, clock } = this.#parts;
    let owner: string | undefined;
    try {
      owner = keys.ownerOf(token);
    } catch (error) {
      return toFailure(error).message;
    }
    if (owner === undefined) return undefined;
    if (ids.isOfWorker(workerId)) {
      // Such ids end with this process; nobody but its own workers has ever had them.
      return owner === keys.ownWorkers ? undefined : takenFault(workerId);
    }
    const standing = this.#parts.standingOf(workerId);
    if (standing.kind === "launched" && standing.keyOwner !== undefined) {
      return owner === standing.keyOwner ? undefined : takenFault(workerId);
    }
    const before = workerIds.ownerOf(workerId);
    if (before !== undefined && before !== owner && keys.isKnown(before)) {
      return takenFault(workerId);
    }
    workerIds.claim(workerId, owner, clock.now());
    return undefined;
  }
}

function takenFault(workerId: string): string {
  return `the worker id ${JSON.stringify(workerId)} belongs to another key; start the worker with an id of its own (--id NAME)`;
}

function short(text: string): string {
  return text.slice(0, MAX_WORKER_ID_BYTES);
}
