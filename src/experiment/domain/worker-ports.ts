import type {
  ControlMessage,
  Heartbeat,
  Hello,
  TaskReport,
} from "../../generated/stillhouse/v1/worker.js";

/** How a worker process of this machine ended. */
export interface WorkerExit {
  /** Such as "it ended with exit code 1" or "it was killed by SIGKILL". */
  readonly reason: string;
  /** Last lines of its log. */
  readonly logTail: string;
}

/** A worker to start. */
export interface LaunchOrder {
  readonly workerId: string;
  /** The device that it gets, such as "cuda:0". */
  readonly device: string;
  /** Where it connects, tcp://HOST:PORT. */
  readonly workerAddress: string;
  /** Where it uploads artifacts, HOST:PORT. */
  readonly grpcAddress: string;
}

/** A worker that was started: a process of this machine, or a job of a cluster. */
export interface LaunchedWorker {
  /** Resolves when it and all that it started have ended; also when it could not be started. */
  readonly ended: Promise<WorkerExit>;
  /** Tells it to end, and kills it if it has not ended after the grace period. */
  stop(graceMs: number): Promise<void>;
  /** Ends it at once, with all that it started. */
  kill(): void;
}

/** Where workers are started. */
export interface WorkerLauncher {
  launch(order: LaunchOrder): LaunchedWorker;
}

/** The keys that workers have. */
export interface WorkerKeys {
  /** Name of the key of the workers that this control plane starts itself. */
  readonly ownWorkers: string;
  /**
   * Name of the key that a bearer token identifies; undefined where no token is required.
   *
   * @param token empty for none
   * @throws UNAUTHENTICATED or PERMISSION_DENIED for a token that admits no worker
   */
  ownerOf(token: string): string | undefined;
  /** Whether a key of that name is still accepted. */
  isKnown(owner: string): boolean;
}

/** Whether a worker may join: yes, no with the reason, or to be asked again later. */
export type Admission =
  | { readonly kind: "admitted" }
  | { readonly kind: "refused"; readonly reason: string }
  | { readonly kind: "later" };

/** Receives the messages of workers; each call returns at once. */
export interface WorkerListener {
  /** Called before any other message of a worker; `ready` follows if it is admitted. */
  admit(hello: Hello): Admission;
  ready(hello: Hello): void;
  heartbeat(workerId: string, heartbeat: Heartbeat): void;
  /** @param fault why none of it can be accepted, as a clause */
  report(workerId: string, report: TaskReport, fault?: string): void;
  /** It said goodbye, or a message to it could not be delivered. */
  gone(workerId: string, reason: string): void;
  /** The process of a worker that was launched here has ended. */
  exited(workerId: string, exit: WorkerExit): void;
}

export interface WorkerPool {
  /**
   * Sends soon, in order. If the message is an order, a worker that cannot be reached is reported
   * as lost; other messages are sent again when the worker is back.
   */
  send(workerId: string, message: NonNullable<ControlMessage["kind"]>): void;
  /** Starts a worker process on this machine; it says hello, or it exits. */
  launch(workerId: string, device: string): void;
  /** Ends a worker process of this machine at once; remote workers are left alone. */
  kill(workerId: string): void;
}
