import type { Event } from "../../generated/stillhouse/v1/experiment.js";
import type { ExperimentSpec } from "../../generated/stillhouse/v1/spec.js";
import type { Facts } from "../../settings/facts.js";

/** What the domain needs of the world. */
export interface Clock {
  now(): Date;
  /** Milliseconds that only ever rise, whatever happens to the date. */
  monotonicMs(): number;
}

export interface Ids {
  experiment(): string;
  /** Of a worker that is started here; it ends with this process. */
  worker(): string;
  /** Whether an id is one of `worker`, also of an earlier process. */
  isOfWorker(id: string): boolean;
}

/** Where the control plane writes what happens to it; a pino logger fits. */
export interface Log {
  debug(message: string): void;
  info(message: string): void;
  warn(message: string): void;
  error(message: string): void;
}

/** What everything is stored in. */
export interface StorageProbe {
  /** Writes something and takes it back. Throws where that fails. */
  assertWritable(): void;
}

/** The folder in which the attempts of a task keep their checkpoints. */
export interface WorkFolders {
  /** Throws StorageFault where nothing in the home can be written, else ENVIRONMENT or EXHAUSTED. */
  prepare(taskId: string): string;
  /** Throws nothing. @returns whether all of it is gone */
  remove(taskId: string): boolean;
}

/** A readable copy of what happened to each experiment, beside the store. */
export interface RunLog {
  /** Folder of the experiment for such copies; empty where it cannot be made. */
  folderOf(experimentId: string): string;
  /** A stored event. Throws nothing. */
  note(event: Event): void;
  /** Throws nothing. */
  remove(experimentId: string): void;
}

/** What is asked of Python. */
export interface Inspector {
  /** Fetches what is not there yet, then describes data set, model and device of a draft. */
  describe(draft: ExperimentSpec): Promise<Facts>;
  /**
   * What distilled data holds, as JSON: nearest tokens, labels, attention, rates.
   *
   * @param path folder of the artifact
   * @param top nearest tokens per position
   */
  inspect(path: string, top: number): Promise<unknown>;
}
