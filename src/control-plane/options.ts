import type { HttpPort } from "../api/http/server.js";
import type { StillhouseError } from "../errors.js";
import type { Log } from "../experiment/domain/ports.js";
import type { Timings } from "../experiment/scheduling/leases.js";
import type { TrackingAddress } from "../mlflow/tracking-address.js";
import type { ConnectionRoom } from "../security/connection-limits.js";
import type { SecurityOptions } from "../security/security.js";
import type { PlaneLock } from "../store/home-lock.js";
import type { Leadership } from "../store/postgres/leadership.js";
import type { Environment } from "../worker/process-group.js";

/** The default address of a control plane. */
export const LOOPBACK = "127.0.0.1";

/** An engine that starts workers, which outlive the control plane. */
export interface EnginePool {
  /** Of lower-case letters and digits; no other pool has it. */
  readonly name: string;
  readonly engine: "slurm" | "kubernetes" | "ray";
  /** Most workers, counted from the order on. */
  readonly maxWorkers: number;
  /** Most of them that wait in the engine's queue. */
  readonly maxPending: number;
  readonly idleTimeoutMs: number;
  /** CUDA devices that one worker may have; 0: it computes on the CPU alone. */
  readonly gpus: number;
  /** Memory that one worker may have; 0: as much as a task asks for. */
  readonly maxMemoryBytes: number;
  /** What the engine itself is told. */
  readonly options: Readonly<Record<string, string>>;
}

export interface ControlPlaneOptions {
  readonly home: string;
  /** It is released when the control plane stops, or cannot start. */
  readonly lock: PlaneLock;
  /** The lock, where experiments are in PostgreSQL; absent: they are in the home. */
  readonly leadership?: Leadership;
  /** Python of the project's environment. */
  readonly pythonPath: string;
  /** Environment of Python processes. */
  readonly env: Environment;
  /** Most worker processes at a time; 0 leaves all work to workers that connect by themselves. */
  readonly numWorkers: number;
  readonly log: Log;
  /** Most unfinished experiments of an owner; absent: any number. */
  readonly maxUnfinished?: number;
  /** Files that the process may have open; absent: what the system says. */
  readonly maxOpenFiles?: number;
  /** Most tasks in all unfinished experiments of an owner; any number where absent. */
  readonly maxUnfinishedTasks?: number;
  /** IP address to listen on; 127.0.0.1 where it is absent. */
  readonly host?: string;
  /** By which workers of engines reach it; absent: the first address of the host. */
  readonly advertise?: string | undefined;
  readonly engines?: readonly EnginePool[];
  /** 0, the default, for any. */
  readonly grpcPort?: number;
  /** 0, the default, for any. */
  readonly workerPort?: number;
  /** Keys and tokens, which any host but loopback needs. */
  readonly security?: SecurityOptions;
  /**
   * Experiments to continue if an earlier process left them unfinished; the others stay queued
   * until they are resumed. Where absent, all continue.
   */
  readonly adopt?: readonly string[];
  /** Ends a start that takes long. */
  readonly stop?: AbortSignal;
  readonly timings?: Partial<Timings>;
  /** Where HTTP answers, on the same host; absent: nowhere. */
  readonly http?: HttpPort;
  /** Server that gets a copy of what experiments report; absent: none. */
  readonly mlflow?: TrackingAddress | undefined;
  /** Shown with the measurements and the description of HTTP. */
  readonly version?: string;
}

/** What fits into the process. */
export interface Capacity extends ConnectionRoom {
  /** Files that it may have open; Infinity for any number. */
  readonly openFiles: number;
}

export interface ControlPlane {
  /** Where gRPC answers, HOST:PORT; on every address of this machine, by the one of loopback. */
  readonly address: string;
  /** Where workers connect with ZeroMQ, tcp://HOST:PORT, as `address`. */
  readonly workerAddress: string;
  /** Where workers of engines reach it: ZeroMQ as tcp://HOST:PORT, gRPC as HOST:PORT. */
  readonly advertised: { readonly workers: string; readonly grpc: string };
  readonly capacity: Capacity;
  /** Folder of keys for clients of this machine; they are good until the control plane stops. */
  readonly clientKeys: string;
  /** Where HTTP answers and the dashboard is, such as http://HOST:PORT; empty for nowhere. */
  readonly httpAddress: string;
  /** Experiments of an earlier process that stay queued because they were not adopted. */
  readonly leftQueued: readonly string[];
  /**
   * Asks a pool for one worker of the kind that it is for, without any task.
   *
   * @throws NOT_FOUND where there is no such pool
   */
  askForWorker(pool: string): void;
  /** Resolves when the home can no longer be written and waiting does not help: stop then. */
  readonly broken: Promise<StillhouseError>;
  /**
   * Stops running tasks after a checkpoint, ends the workers and releases the home. Unfinished
   * experiments continue at the next start.
   *
   * @param withinMs what has not stopped by then is killed, and continues from its last checkpoint
   */
  stop(withinMs?: number): Promise<void>;
  /** Ends all processes that were started, at once; for when this one ends in the next moment. */
  kill(): void;
}
