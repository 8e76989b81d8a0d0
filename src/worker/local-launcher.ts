import { join } from "node:path";
import type {
  Launcher,
  LauncherListener,
  LaunchOrder,
  LaunchPhase,
  LaunchStatus,
} from "../experiment/domain/launcher-ports.js";
import type { Log } from "../experiment/domain/ports.js";
import { logTail } from "./log-tail.js";
import { type Environment, ProcessGroup } from "./process-group.js";
import { workerCommand } from "./worker-command.js";

/** Where workers reach the control plane. */
export interface Addresses {
  /** With ZeroMQ, tcp://HOST:PORT. */
  readonly workers: string;
  /** For artifacts, HOST:PORT. */
  readonly grpc: string;
}

export interface LocalLauncherOptions {
  readonly pythonPath: string;
  readonly env: Environment;
  /** Folder of the workers' logs. */
  readonly logs: string;
  readonly log: Log;
  /** Folder of keys that lets the workers in. */
  readonly keys: string;
  /** Asked when a worker is launched. */
  readonly addresses: () => Addresses;
}

/** Starts workers as processes of this machine, which end with this process. */
export class LocalLauncher implements Launcher {
  readonly #options: LocalLauncherOptions;
  readonly #running = new Map<string, ProcessGroup>();
  #listener: LauncherListener | undefined;

  constructor(options: LocalLauncherOptions) {
    this.#options = options;
  }

  open(listener: LauncherListener): void {
    this.#listener = listener;
  }

  async launch({ launchId, device }: LaunchOrder): Promise<void> {
    const { pythonPath, env, logs, log, keys, addresses } = this.#options;
    if (this.#running.has(launchId)) return;
    const { workers, grpc } = addresses();
    const logPath = join(logs, `${launchId}.log`);
    const args = workerCommand([
      ...["--connect", workers, "--grpc", grpc],
      ...["--id", launchId, "--device", device, "--keys", keys],
    ]);
    log.debug(`worker ${launchId} is started for ${device}; it logs to ${logPath}`);
    const process = new ProcessGroup(pythonPath, args, env, logPath);
    this.#running.set(launchId, process);
    this.#listener?.changed(status(launchId, "running"));
    void process.ended.then((reason) => {
      this.#running.delete(launchId);
      log.debug(`worker ${launchId}: ${reason}`);
      const end = { reason, logTail: logTail(logPath) };
      this.#listener?.changed({ ...status(launchId, "ended"), ...end });
    });
  }

  async list(): Promise<LaunchStatus[]> {
    return [...this.#running.keys()].map((launchId) => status(launchId, "running"));
  }

  async stop(launchId: string): Promise<void> {
    this.#running.get(launchId)?.signal("SIGTERM");
  }

  async kill(launchId: string): Promise<void> {
    this.#running.get(launchId)?.signal("SIGKILL");
  }

  async close(): Promise<void> {
    this.#listener = undefined;
  }
}

function status(launchId: string, phase: LaunchPhase): LaunchStatus {
  return { launchId, phase, reason: "", node: "", logTail: "" };
}
