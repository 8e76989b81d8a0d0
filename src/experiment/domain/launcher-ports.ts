/** What a worker has for its tasks. */
export interface LaunchShape {
  /** Such as "cpu", "cuda" or "cuda:1". */
  readonly device: string;
  /** CUDA devices that it sees, at least 1; of a CPU 1. */
  readonly numDevices: number;
  /** Memory for a task, in bytes; 0: what the engine gives without being asked. */
  readonly memoryBytes: number;
}

/** A worker to start. */
export interface LaunchOrder extends LaunchShape {
  /** The engine's own name for it, and the id of the worker. Never used a second time. */
  readonly launchId: string;
}

/** `pending` in the engine's queue; `ended` also where it never ran. */
export type LaunchPhase = "pending" | "running" | "ended";

/** What an engine says about one launch. */
export interface LaunchStatus {
  readonly launchId: string;
  readonly phase: LaunchPhase;
  /** Of a waiting one such as "Resources", of an ended one such as "it was killed by SIGKILL". */
  readonly reason: string;
  /** The machine that has it; empty where it is not known. */
  readonly node: string;
  /** Last lines of the log of an ended one; empty where they are not known. */
  readonly logTail: string;
}

/** Receives what an engine says by itself. */
export interface LauncherListener {
  /** A launch has reached another phase, or waits for another reason. */
  changed(status: LaunchStatus): void;
  /** What was said may have been lost: all is to be listed again. */
  reconnected(): void;
}

/**
 * The answer to an order is not known, since the way to the engine was lost: the worker may have
 * been started, which the next list shows.
 */
export class LauncherLost extends Error {}

/** An engine that starts workers: processes of this machine, or jobs of a cluster. */
export interface Launcher {
  /** From now on it reports; call it once, before anything else. */
  open(listener: LauncherListener): void;
  /**
   * Resolves when the engine has taken the order, which may then wait for hours. Asked for the same
   * id again it starts nothing more.
   *
   * @throws LauncherLost where nothing is known; any other error: the engine refuses the order
   */
  launch(order: LaunchOrder): Promise<void>;
  /**
   * All launches of this control plane that have not ended, also those of an earlier process.
   *
   * @throws where the engine does not answer
   */
  list(): Promise<readonly LaunchStatus[]>;
  /** Asks a worker to end in order; one that waits is taken out of the queue. */
  stop(launchId: string): Promise<void>;
  /** Ends it at once, with all that it started. */
  kill(launchId: string): Promise<void>;
  /** Ends no worker. Nothing is reported any more. */
  close(): Promise<void>;
}

/** Where a control plane starts workers. */
export interface PoolSettings {
  /** Of lower-case letters and digits. */
  readonly name: string;
  readonly launcher: Launcher;
  /** Most workers at a time, counted from the order on. */
  readonly most: number;
  /** Most of them that have not started yet. */
  readonly mostPending: number;
  /** A worker that had nothing to do for this long is ended; absent: it stays. */
  readonly idleTimeoutMs?: number;
  /** The most that one worker of it can have, for each kind of device; absent: any task fits. */
  readonly largest?: readonly LaunchShape[];
  /** Whether its workers live on when this process dies. */
  readonly outlivesPlane: boolean;
  /** Name of the key that its workers have, where keys are required. */
  readonly keyOwner?: string;
}

/** A launch that may still be alive. */
export interface StoredLaunch extends LaunchOrder {
  readonly pool: string;
}

/** What was asked of engines whose workers outlive this process. Durable once a call returns. */
export interface LaunchStore {
  /** Random, the same for as long as the home exists, and not that of a copy made by `backup`. */
  readonly planeId: string;
  add(launch: StoredLaunch): void;
  remove(launchId: string): void;
  all(): StoredLaunch[];
}
