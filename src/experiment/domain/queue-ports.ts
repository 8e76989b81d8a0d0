import type { State } from "../../generated/stillhouse/v1/experiment.js";
import type { ComputeNeeds } from "./compute-needs.js";

/** A task that could start, as far as its experiment alone says. */
export interface QueuedTask {
  readonly id: string;
  /** Its place in the experiment. */
  readonly position: number;
  readonly isDistill: boolean;
  readonly cacheKey: string;
  readonly numLost: number;
}

/** What the queue needs of an unfinished experiment, without reading what is stored of it. */
export interface QueuedExperiment extends ComputeNeeds {
  readonly id: string;
  readonly owner: string;
  readonly priority: number;
  /** Empty where it is of none. */
  readonly sweepId: string;
  /** Of all its tasks, done or not. */
  readonly numTasks: number;
  /** By their positions. */
  readonly ready: readonly QueuedTask[];
}

/** A queued task that may take over the result of another one. */
export interface AwaitingTask {
  readonly taskId: string;
  readonly experimentId: string;
  /** Greater for one that came later. */
  readonly number: number;
}

/** What is known of an experiment without reading its message. */
export interface Standing {
  readonly isEnded: boolean;
  readonly state: State;
  readonly owner: string;
  readonly numTasks: number;
}

export interface TaskCount {
  /** As `taskKind`. */
  readonly kind: string;
  readonly state: State.QUEUED | State.RUNNING;
  readonly count: number;
}

/** Unfinished experiments by what the store has in columns, so that none of them is decoded. */
export interface QueueStore {
  /** All that are unfinished, oldest first, read a few at a time. */
  waiting(): Iterable<QueuedExperiment>;
  /** Ids of the experiments of which tasks run, oldest first. */
  running(): string[];
  /** How many tasks are queued and run. */
  taskCounts(): TaskCount[];
  standingOf(experimentId: string): Standing | undefined;
  /**
   * The first queued task with this cache key after one of that number, in the order in which they
   * came; undefined where there is none.
   */
  nextAwaiting(cacheKey: string, after: number): AwaitingTask | undefined;
  /** Ids of the experiments with queued tasks whose results are stored; some more than once. */
  awaitingKnown(): Iterable<string>;
}
