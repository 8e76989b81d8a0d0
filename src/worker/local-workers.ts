import { join } from "node:path";
import type { Log, WorkerListener, WorkerPool } from "../experiment/ports.js";
import type { ControlMessage } from "../generated/stillhouse/v1/worker.js";
import type { WorkerHub } from "./hub.js";
import { logTail } from "./log-tail.js";
import { type Environment, ProcessGroup } from "./process-group.js";

export interface LocalWorkersOptions {
  readonly hub: WorkerHub;
  readonly pythonPath: string;
  readonly env: Environment;
  /** Folder of the workers' logs. */
  readonly logs: string;
  readonly log: Log;
}

interface Addresses {
  readonly zmq: string;
  readonly grpc: string;
}

/** Workers reached by ZeroMQ, and the processes of those that were started on this machine. */
export class LocalWorkers implements WorkerPool {
  readonly #options: LocalWorkersOptions;
  readonly #processes = new Map<string, ProcessGroup>();
  #addresses: Addresses | undefined;
  #listener: WorkerListener | undefined;

  constructor(options: LocalWorkersOptions) {
    this.#options = options;
  }

  /**
   * @param host IP address to listen on
   * @param grpcAddress where workers hand in artifacts
   * @returns where they connect, tcp://HOST:PORT
   */
  async listen(listener: WorkerListener, host: string, grpcAddress: string): Promise<string> {
    this.#listener = listener;
    const zmq = await this.#options.hub.listen(listener, host);
    this.#addresses = { zmq, grpc: grpcAddress };
    return zmq;
  }

  send(workerId: string, message: NonNullable<ControlMessage["kind"]>): void {
    this.#options.hub.send(workerId, message, (reason) => this.#listener?.gone(workerId, reason));
  }

  launch(workerId: string, device: string): void {
    const { pythonPath, env, logs, log } = this.#options;
    if (!this.#addresses) throw new Error("workers are launched after the hub listens");
    const { zmq, grpc } = this.#addresses;
    const logPath = join(logs, `${workerId}.log`);
    const args = ["-m", "stillhouse_worker", "worker"];
    args.push("--connect", zmq, "--grpc", grpc, "--id", workerId, "--device", device);
    const process = new ProcessGroup(pythonPath, args, env, logPath);
    this.#processes.set(workerId, process);
    log.debug(`worker ${workerId} is started for ${device}; it logs to ${logPath}`);
    void process.ended.then((reason) => {
      this.#processes.delete(workerId);
      log.debug(`worker ${workerId}: ${reason}`);
      this.#listener?.exited(workerId, { reason, logTail: logTail(logPath) });
    });
  }

  kill(workerId: string): void {
    this.#processes.get(workerId)?.signal("SIGKILL");
  }

  killAll(): void {
    for (const process of this.#processes.values()) process.signal("SIGKILL");
  }

  /** Ends all local workers: told, then SIGTERM, then after a while SIGKILL. */
  async stop(graceMs: number): Promise<void> {
    await Promise.all([...this.#processes.values()].map((process) => process.stop(graceMs)));
  }
}
