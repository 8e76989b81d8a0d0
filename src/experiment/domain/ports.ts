import type { Event } from "../../generated/stillhouse/v1/experiment.js";
import type { ExperimentSpec } from "../../generated/stillhouse/v1/spec.js";
import type { Facts } from "../../settings/facts.js";

/** The ports through which the domain reaches the rest of the system. */
export interface Clock {
  now(): Date;
  /** Milliseconds of a monotonic clock, which changes of the date do not affect. */
  monotonicMs(): number;
}

export interface Ids {
  experiment(): string;
  /** An id for a worker that is started here and ends with this process. */
  worker(): string;
  /** Whether an id is one of `worker`, also of an earlier process. */
  isOfWorker(id: string): boolean;
  /** An id for a worker that is started in a pool and outlives this process. */
  launch(pool: string, planeId: string): string;
  /** Whether an id is one of `launch` of this pool and control plane. */
  isOfLaunch(id: string, pool: string, planeId: string): boolean;
}

/** The log of the control plane; a pino logger fits. */
export interface Log {
  debug(message: string): void;
  info(message: string): void;
  warn(message: string): void;
  error(message: string): void;
}

/** The storage of the home as a whole. */
export interface StorageProbe {
  /** Tests the storage by a write that is undone. Throws where that fails. */
  assertWritable(): void;
}

/** The folder in which the attempts of a task keep their checkpoints. */
export interface WorkFolders {
  /**
   * Throws StorageFault where nothing in the home can be written, else ENVIRONMENT or EXHAUSTED.
   */
  prepare(taskId: string): string;
  /** Does not throw. @returns whether all of it is removed */
  remove(taskId: string): boolean;
}

/** A readable copy of what happened to each experiment, beside the store. */
export interface RunLog {
  /** The experiment's folder for such copies; empty where it cannot be created. */
  folderOf(experimentId: string): string;
  /** A stored event. Throws nothing. */
  note(event: Event): void;
  /** Throws nothing. */
  remove(experimentId: string): void;
}

/** The questions that Python answers. */
export interface Inspector {
  /** Downloads what is missing, then describes data set, model and device of a draft. */
  describe(draft: ExperimentSpec): Promise<Facts>;
  /**
   * The content of distilled data as JSON: nearest tokens, labels, attention, rates.
   *
   * @param path folder of the artifact
   * @param top nearest tokens per position
   */
  inspect(path: string, top: number): Promise<unknown>;
}
