import { join } from "node:path";
import type { Log } from "../experiment/domain/ports.js";
import type {
  LaunchedWorker,
  LaunchOrder,
  WorkerExit,
  WorkerLauncher,
} from "../experiment/domain/worker-ports.js";
import { logTail } from "./log-tail.js";
import { type Environment, ProcessGroup } from "./process-group.js";
import { workerCommand } from "./worker-command.js";

export interface LocalLauncherOptions {
  readonly pythonPath: string;
  readonly env: Environment;
  /** Folder of the workers' logs. */
  readonly logs: string;
  readonly log: Log;
  /** Folder of keys that lets the workers in. */
  readonly keys: string;
}

/** Starts workers as processes of this machine. */
export class LocalLauncher implements WorkerLauncher {
  readonly #options: LocalLauncherOptions;

  constructor(options: LocalLauncherOptions) {
    this.#options = options;
  }

  launch({ workerId, device, workerAddress, grpcAddress }: LaunchOrder): LaunchedWorker {
    const { pythonPath, env, logs, log, keys } = this.#options;
    const logPath = join(logs, `${workerId}.log`);
    const args = workerCommand([
      ...["--connect", workerAddress, "--grpc", grpcAddress],
      ...["--id", workerId, "--device", device, "--keys", keys],
    ]);
    log.debug(`worker ${workerId} is started for ${device}; it logs to ${logPath}`);
    return new LocalWorker(new ProcessGroup(pythonPath, args, env, logPath), logPath);
  }
}

class LocalWorker implements LaunchedWorker {
  readonly ended: Promise<WorkerExit>;
  readonly #process: ProcessGroup;

  constructor(process: ProcessGroup, logPath: string) {
    this.#process = process;
    this.ended = process.ended.then((reason) => ({ reason, logTail: logTail(logPath) }));
  }

  stop(graceMs: number): Promise<void> {
    return this.#process.stop(graceMs);
  }

  kill(): void {
    this.#process.signal("SIGKILL");
  }
}
