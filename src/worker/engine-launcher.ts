import { z } from "zod";
import type {
  Launcher,
  LauncherListener,
  LaunchOrder,
  LaunchStatus,
} from "../experiment/domain/launcher-ports.js";
import { LauncherProcess, type LauncherProcessOptions } from "./launcher-process.js";

const STATUS = z
  .object({
    launch_id: z.string(),
    phase: z.enum(["pending", "running", "ended"]),
    reason: z.string(),
    node: z.string(),
    log_tail: z.string(),
  })
  .transform(
    ({ launch_id: launchId, log_tail: logTail, ...same }): LaunchStatus => ({
      launchId,
      logTail,
      ...same,
    }),
  );
const MESSAGE = z.object({ status: STATUS });

/** What an engine is told about the workers of a pool; see `Settings` in `engine.py`. */
export interface EngineSettings {
  readonly prefix: string;
  readonly python: string;
  readonly workers: string;
  readonly grpc: string;
  readonly keys: string | null;
  readonly work_dir: string;
  readonly logs: string;
  readonly leave_after_s: number;
  readonly options: Readonly<Record<string, string>>;
}

export interface EngineLauncherOptions
  extends Pick<LauncherProcessOptions, "pythonPath" | "env" | "logPath" | "log" | "firstPauseMs"> {
  /** Name of the engine, as `stillhouse_launcher` knows it. */
  readonly engine: string;
  /** Asked when the process is started. */
  readonly settings: () => EngineSettings;
}

/** An engine behind the process `stillhouse_launcher`. */
export class EngineLauncher implements Launcher {
  readonly #process: LauncherProcess;
  #listener: LauncherListener | undefined;

  constructor({ engine, settings, ...process }: EngineLauncherOptions) {
    this.#process = new LauncherProcess({
      ...process,
      opening: () => ({ engine, settings: settings() }),
      onMessage: (message) => this.#listener?.changed(MESSAGE.parse(message).status),
      onOpened: () => this.#listener?.reconnected(),
    });
  }

  open(listener: LauncherListener): void {
    this.#listener = listener;
    this.#process.open();
  }

  async launch({ launchId, device, numDevices, memoryBytes }: LaunchOrder): Promise<void> {
    const order = {
      ...{ launch_id: launchId, device },
      ...{ num_devices: numDevices, memory_bytes: memoryBytes },
    };
    await this.#process.ask("launch", { order });
  }

  async list(): Promise<LaunchStatus[]> {
    return z.array(STATUS).parse(await this.#process.ask("list"));
  }

  async stop(launchId: string): Promise<void> {
    await this.#process.ask("stop", { launch_id: launchId });
  }

  async kill(launchId: string): Promise<void> {
    await this.#process.ask("kill", { launch_id: launchId });
  }

  async close(): Promise<void> {
    await this.#process.close();
    this.#listener = undefined;
  }
}
