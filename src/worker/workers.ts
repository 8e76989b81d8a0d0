import type { Log } from "../experiment/domain/ports.js";
import type { WorkerListener, WorkerPool } from "../experiment/domain/worker-ports.js";
import type { ControlMessage } from "../generated/stillhouse/v1/worker.js";
import type { WorkerHub } from "./hub.js";

export interface WorkersOptions {
  readonly hub: WorkerHub;
  readonly log: Log;
}

/** Workers reached by ZeroMQ. */
export class Workers implements WorkerPool {
  readonly #options: WorkersOptions;
  #listener: WorkerListener | undefined;

  constructor(options: WorkersOptions) {
    this.#options = options;
  }

  /** From now on workers are heard. */
  open(listener: WorkerListener): void {
    this.#listener = listener;
    this.#options.hub.open(listener);
  }

  send(workerId: string, message: NonNullable<ControlMessage["kind"]>): void {
    this.#options.hub.send(workerId, message, (reason) => {
      if (isOrder(message)) this.#listener?.gone(workerId, reason);
      else this.#options.log.debug(`${message.$case} to worker ${workerId}: ${reason}`);
    });
  }
}

/** The answers to what a worker says are sent again when it says it again. */
function isOrder({ $case }: NonNullable<ControlMessage["kind"]>): boolean {
  return $case === "assign" || $case === "cancel" || $case === "shutdown";
}
