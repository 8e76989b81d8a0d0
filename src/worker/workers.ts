import type { Log } from "../experiment/domain/ports.js";
import type {
  LaunchedWorker,
  WorkerLauncher,
  WorkerListener,
  WorkerPool,
} from "../experiment/domain/worker-ports.js";
import type { ControlMessage } from "../generated/stillhouse/v1/worker.js";
import type { WorkerHub } from "./hub.js";

export interface WorkersOptions {
  readonly hub: WorkerHub;
  readonly launcher: WorkerLauncher;
  readonly log: Log;
}

interface Addresses {
  readonly workerAddress: string;
  readonly grpcAddress: string;
}

/** Workers reached by ZeroMQ, and those of them that were started from here. */
export class Workers implements WorkerPool {
  readonly #options: WorkersOptions;
  readonly #launched = new Map<string, LaunchedWorker>();
  #addresses: Addresses | undefined;
  #listener: WorkerListener | undefined;

  constructor(options: WorkersOptions) {
    this.#options = options;
  }

  /** From now on workers are heard and can be launched. */
  open(listener: WorkerListener, addresses: Addresses): void {
    this.#listener = listener;
    this.#addresses = addresses;
    this.#options.hub.open(listener);
  }

  send(workerId: string, message: NonNullable<ControlMessage["kind"]>): void {
    this.#options.hub.send(workerId, message, (reason) => {
      if (isOrder(message)) this.#listener?.gone(workerId, reason);
      else this.#options.log.debug(`${message.$case} to worker ${workerId}: ${reason}`);
    });
  }

  launch(workerId: string, device: string): void {
    const { launcher, log } = this.#options;
    if (!this.#addresses) throw new Error("workers are launched after the hub is open");
    const worker = launcher.launch({ workerId, device, ...this.#addresses });
    this.#launched.set(workerId, worker);
    void worker.ended.then((exit) => {
      this.#launched.delete(workerId);
      log.debug(`worker ${workerId}: ${exit.reason}`);
      this.#listener?.exited(workerId, exit);
    });
  }

  kill(workerId: string): void {
    this.#launched.get(workerId)?.kill();
  }

  killAll(): void {
    for (const worker of this.#launched.values()) worker.kill();
  }

  /** Ends all workers that were started here: asks them first, and kills them after a while. */
  async stop(graceMs: number): Promise<void> {
    await Promise.all([...this.#launched.values()].map((worker) => worker.stop(graceMs)));
  }
}

/** The answers to what a worker says are sent again when it says it again. */
function isOrder({ $case }: NonNullable<ControlMessage["kind"]>): boolean {
  return $case === "assign" || $case === "cancel" || $case === "shutdown";
}
