import type {
  ControlMessage,
  Heartbeat,
  Hello,
  TaskReport,
} from "../../generated/stillhouse/v1/worker.js";

/** How a worker that was launched from here ended. */
export interface WorkerExit {
  /** Such as "it ended with exit code 1" or "it was killed by SIGKILL". */
  readonly reason: string;
  /** Last lines of its log. */
  readonly logTail: string;
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
}

/** The way to the workers. */
export interface WorkerPool {
  /**
   * Sends soon, in order. If the message is an order, a worker that cannot be reached is reported
   * as lost; other messages are sent again when the worker is back.
   */
  send(workerId: string, message: NonNullable<ControlMessage["kind"]>): void;
}
