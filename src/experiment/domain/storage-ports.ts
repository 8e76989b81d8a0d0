import type { Readable } from "node:stream";
import type {
  Artifact,
  ArtifactFile,
  Checkpoint,
  Event,
  MetricPoint,
  TaskResult,
} from "../../generated/stillhouse/v1/experiment.js";
import type {
  ExperimentFilter,
  ExperimentOrder,
  ListSweepsResponse,
  MetricSeries,
  MetricSummary,
  Sweep,
} from "../../generated/stillhouse/v1/service.js";
import type { QueueStore } from "./queue-ports.js";
import type { ExperimentRecord, TaskRecord } from "./record.js";

/** A change of state, stored as a whole or not at all. */
export interface Change {
  readonly record: ExperimentRecord;
  /** Those of its tasks that differ from what is stored. */
  readonly tasks: readonly TaskRecord[];
  /** Ids of other tasks of it that can start from now on; none where absent. */
  readonly madeReady?: readonly string[];
  /** For watchers; the store gives them their sequence numbers. */
  readonly events: readonly Event[];
}

/** A request for a page of a list. */
export interface ExperimentQuery {
  readonly filter: ExperimentFilter;
  readonly order: ExperimentOrder;
  readonly pageSize: number;
  /** From the previous page; empty for the first one. */
  readonly pageToken: string;
}

/** The folders of removed experiments that no other experiment uses. */
export interface Leftovers {
  readonly artifactIds: readonly string[];
  readonly taskIds: readonly string[];
}

export interface ExperimentPage {
  readonly records: readonly ExperimentRecord[];
  /** Empty on the last page. */
  readonly nextPageToken: string;
}

/** As `ExperimentPage`, each experiment with its tasks as the bytes of an `Experiment`. */
export interface EncodedPage {
  readonly experiments: readonly { readonly id: string; readonly bytes: Uint8Array }[];
  readonly nextPageToken: string;
}

/** Durable once a call returns. Throws StorageFault when it cannot be. */
export interface ExperimentStore {
  /** What is unfinished, by columns. */
  readonly queue: QueueStore;
  /**
   * Stores a new experiment; the request id, where not empty, is remembered for its owner. One of a
   * sweep that is not stored yet is removed when the store is opened before the sweep is stored.
   */
  create(change: Change, requestId: string): Event[];
  commit(change: Change): Event[];
  /** Whether it exists, also where it cannot be read. */
  has(experimentId: string): boolean;
  /** Throws ENVIRONMENT where what is stored of it cannot be read, as `findByRequest`. */
  find(experimentId: string): ExperimentRecord | undefined;
  findByRequest(requestId: string, owner: string): ExperimentRecord | undefined;
  /**
   * What cannot be read is in it, as failed with the reason. Throws INVALID for a page token that
   * is not of this filter and order.
   */
  list(query: ExperimentQuery): ExperimentPage;
  /** As `list`, without reading what is stored. */
  listEncoded(query: ExperimentQuery): EncodedPage;
  /**
   * Removes an experiment with its events and metrics; its leftovers are remembered. With a full
   * disk it may be removed piece by piece.
   */
  remove(experimentId: string): void;
  /** What removed experiments left in folders, until `forgetLeftovers`. */
  leftovers(): Leftovers;
  forgetLeftovers(): void;
  /** An artifact that a stored result names. */
  findArtifact(artifactId: string): Artifact | undefined;
  /**
   * Results of the newest tasks that succeeded under this cache key, newest first, with when they
   * ended.
   */
  findResults(cacheKey: string): readonly { result: TaskResult; endTime: Date | undefined }[];
  /** Those of these cache keys that have results. */
  keysWithResults(cacheKeys: readonly string[]): ReadonlySet<string>;
  /**
   * The first events after a sequence number: at least one if there is any, few where they are
   * large.
   */
  eventsAfter(experimentId: string, sequence: bigint, limit: number): Event[];
  lastSequence(experimentId: string): bigint;
}

export interface SweepStore {
  /** Stores a sweep whose experiments are stored; the request id is remembered for its owner. */
  createSweep(sweep: Sweep, requestId: string): void;
  /** Replaces what is stored of a sweep itself. */
  updateSweep(sweep: Sweep): void;
  /** With the experiments as they are now. */
  findSweep(sweepId: string): Sweep | undefined;
  /** How many of its unfinished experiments may run; 0 for all, or where there is no such sweep. */
  maxParallelOf(sweepId: string): number;
  findSweepByRequest(requestId: string, owner: string): Sweep | undefined;
  /** Newest first. Throws INVALID for a page token that it did not issue. */
  listSweeps(pageSize: number, pageToken: string): ListSweepsResponse;
}

/** The part of a series to be read. */
export interface SeriesRange {
  readonly firstStep: number;
  readonly lastStep: number;
  /** Most points that are given of it, at least 2. */
  readonly maxPoints: number;
}

/** A reported point. */
export interface StoredPoint {
  readonly step: number;
  /** May be NaN. */
  readonly value: number;
  readonly timeMs: number;
}

export interface MetricStore {
  /**
   * Points that are there already, by (task, attempt, sequence), are left as they are; of two of
   * the same step the later one counts.
   */
  appendMetrics(taskId: string, attempt: number, points: readonly MetricPoint[]): void;
  /** In the order of the tasks, then by name. */
  summaries(taskIds: readonly string[]): MetricSummary[];
  /** Points of one series from a step on, by step. */
  points(taskId: string, name: string, firstStep: number, limit: number): StoredPoint[];
  /**
   * In the order of the tasks, then by name.
   *
   * @param names empty for all
   * @param range is called with the number of series
   */
  series(
    taskIds: readonly string[],
    names: readonly string[],
    range: (numSeries: number) => SeriesRange,
  ): MetricSeries[];
}

export interface ArtifactUpload {
  write(chunk: Uint8Array): Promise<void>;
  /** Checks sizes and hashes, then puts the artifact in place of an earlier one of that id. */
  finish(artifactId: string, experimentId: string): Promise<Artifact>;
  abort(): Promise<void>;
}

export interface ArtifactStore {
  begin(files: readonly ArtifactFile[]): Promise<ArtifactUpload>;
  exists(artifactId: string): boolean;
  /** Folder of the artifact, whether it exists or not. */
  pathOf(artifactId: string): string;
  /**
   * @param offset first byte that is wanted
   * @param length how many at most
   * @throws NOT_FOUND when there is no such file
   */
  read(artifactId: string, fileName: string, offset?: number, length?: number): Readable;
  /** Does not throw. @returns whether all of it is removed */
  remove(artifactId: string): boolean;
}

export interface CheckpointUpload {
  write(chunk: Uint8Array): Promise<void>;
  /**
   * Checks size and hash, then replaces the earlier checkpoints of that kind.
   *
   * @param assertCurrent is called at the last moment; where it throws, nothing is replaced
   */
  finish(assertCurrent: () => void): Promise<void>;
  abort(): Promise<void>;
}

/** The newest checkpoint of each kind of an unfinished task; they go with the task's folder. */
export interface CheckpointStore {
  /** Throws INVALID for what cannot be a checkpoint, EXHAUSTED where the disk has no room for it. */
  begin(taskId: string, checkpoint: Checkpoint): Promise<CheckpointUpload>;
  newest(taskId: string): Checkpoint[];
  /** Throws NOT_FOUND for one that is not there. */
  read(taskId: string, checkpoint: Checkpoint): Readable;
}

/** Files of clients that are being uploaded. */
export interface FolderFilesUpload {
  write(chunk: Uint8Array): Promise<void>;
  /** Throws INVALID where a file is not as announced; none of them is kept then. */
  finish(): Promise<void>;
  abort(): Promise<void>;
}

/** Data sets and models that clients have sent, by the hash of what they hold. */
export interface ClientFolderStore {
  has(folderId: string): boolean;
  /** The folder that holds the data set or model. */
  pathOf(folderId: string): string;
  /**
   * The hashes of the files that are not here, each once.
   *
   * @param keeps whether those that are here stay for the next day at least
   */
  missing(files: readonly ArtifactFile[], keeps: boolean): Promise<string[]>;
  /** Makes a folder of files that are all here; returns the path of the data set or model in it. */
  make(files: readonly ArtifactFile[]): Promise<string>;
  /** Throws EXHAUSTED where the disk has no room for them. */
  begin(files: readonly ArtifactFile[]): Promise<FolderFilesUpload>;
  /** Throws NOT_FOUND for a folder that is not there. */
  filesOf(folderId: string): ArtifactFile[];
  /** The bytes of all files, one after the other; a chunk never spans two. */
  read(folderId: string): AsyncIterable<Uint8Array>;
  /** The folders stay for as long as the experiment does. */
  use(folderIds: readonly string[], experimentId: string): void;
}

/** Secrets of leases, as SHA-256; kept until the task is removed. */
export interface LeaseStore {
  /** Durable at the latest when the next change of an experiment is. */
  keepSecret(taskId: string, attempt: number, sha256: Uint8Array): void;
  findSecret(taskId: string, attempt: number): Uint8Array | undefined;
}

/** Which key first used the id of a worker. */
export interface WorkerIdStore {
  ownerOf(workerId: string): string | undefined;
  /** From now on the id belongs to the key; of very many ids of a key the oldest become free. */
  claim(workerId: string, owner: string, now: Date): void;
}
