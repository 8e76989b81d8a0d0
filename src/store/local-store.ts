import { rmSync, writeFileSync } from "node:fs";
import type { Log, StorageProbe } from "../experiment/domain/ports.js";
import type { StorageFault } from "../experiment/domain/storage-fault.js";
import { ArtifactFolder } from "./artifact-folder.js";
import { CheckpointFolder } from "./checkpoint-folder.js";
import { ClientFolders } from "./client-folders.js";
import { type StoreDatabases, sqliteDatabases } from "./databases.js";
import { SqliteExperimentStore } from "./experiment-store.js";
import { makeHome, pruneLogs } from "./home.js";
import { SqliteLaunchStore } from "./launch-store.js";
import { SqliteLeaseStore } from "./lease-store.js";
import { SqliteMetricStore } from "./metric-store.js";
import { Reserve } from "./reserve.js";
import { RunLogs } from "./run-logs.js";
import { storageFailure } from "./storage-failure.js";
import { SqliteSweepStore } from "./sweep-store.js";
import { Trash } from "./trash.js";
import { LocalWorkFolders } from "./work-folders.js";
import { SqliteWorkerIdStore } from "./worker-id-store.js";

/** Room for some hundred changes, and for a batch of metric points. */
const PROBE_BYTES = 4 << 20;

/**
 * Everything that a control plane stores, opened: its database and the folders of its home. Only the
 * one that may run on them may open it.
 */
export class LocalStore implements StorageProbe {
  readonly experiments: SqliteExperimentStore;
  readonly sweeps: SqliteSweepStore;
  readonly metrics: SqliteMetricStore;
  readonly leases: SqliteLeaseStore;
  readonly workerIds: SqliteWorkerIdStore;
  readonly launches: SqliteLaunchStore;
  readonly artifacts: ArtifactFolder;
  readonly folders: ClientFolders;
  readonly workFolders: LocalWorkFolders;
  readonly checkpoints: CheckpointFolder;
  readonly runLogs: RunLogs;
  /** Folder of the logs of workers. */
  readonly logs: string;
  readonly #databases: StoreDatabases;
  readonly #probe: string;
  readonly #trash: Trash;
  readonly #reserve: Reserve;

  private constructor(home: string, log: Pick<Log, "warn">, given: StoreDatabases | undefined) {
    const paths = makeHome(home);
    this.#reserve = new Reserve(paths.reserve);
    this.#databases = given ?? sqliteDatabases(paths, this.#reserve);
    const { main: database, metrics, secrets, room } = this.#databases;
    this.experiments = new SqliteExperimentStore(database, {
      ...(room ? { room } : {}),
      onUnreadable: (sentence) => log.warn(sentence),
    });
    this.sweeps = new SqliteSweepStore(database);
    this.metrics = new SqliteMetricStore(metrics);
    this.#trash = new Trash(paths.trash, (sentence) => log.warn(sentence));
    this.artifacts = new ArtifactFolder(paths.artifacts, this.#trash);
    this.folders = new ClientFolders(paths.folders, this.#trash);
    this.workFolders = new LocalWorkFolders(paths.work, this.#trash);
    this.checkpoints = new CheckpointFolder(paths.work, this.#trash);
    this.runLogs = new RunLogs(paths.runs, this.#trash);
    this.leases = new SqliteLeaseStore(secrets);
    this.workerIds = new SqliteWorkerIdStore(database);
    this.launches = new SqliteLaunchStore(database, paths.plane);
    this.logs = paths.logs;
    this.#probe = `${paths.database}-probe`;
    pruneLogs(paths);
  }

  /**
   * Opens a home and removes what a killed process left behind.
   *
   * @param log is told what cannot be removed
   * @param databases where they are not in the home
   */
  static open(
    home: string,
    log: Pick<Log, "warn"> = console,
    databases?: StoreDatabases,
  ): LocalStore {
    const store = new LocalStore(home, log, databases);
    store.artifacts.sweep();
    store.folders.sweepUploads();
    store.checkpoints.sweep();
    store.experiments.removeIncomplete();
    store.runLogs.sweep((id) => store.experiments.has(id));
    store.tidy();
    return store;
  }

  /** Tries again to remove what could not be removed before. Call it now and then. */
  tidy(): void {
    this.clearLeftovers();
    this.folders.sweep((id) => this.experiments.has(id));
    this.workFolders.sweep((taskId) => this.experiments.isTaskSucceeded(taskId));
    this.#trash.empty();
  }

  /** Removes the folders of deleted experiments; what cannot be removed now stays on the list. */
  clearLeftovers(): void {
    const { artifactIds, taskIds } = this.experiments.leftovers();
    if (artifactIds.length + taskIds.length === 0) return;
    const areGone = [
      ...artifactIds.map((id) => this.artifacts.remove(id)),
      ...taskIds.map((id) => this.workFolders.remove(id)),
    ];
    if (!areGone.includes(false)) this.experiments.forgetLeftovers();
  }

  /** Throws EXHAUSTED or ENVIRONMENT. */
  assertWritable(): void {
    // Without the reserve, nothing could be removed when the disk is full again.
    this.#reserve.keep();
    try {
      writeFileSync(this.#probe, Buffer.alloc(PROBE_BYTES), { flush: true });
    } catch (error) {
      throw storageFailure(error, this.#probe);
    } finally {
      rmSync(this.#probe, { force: true });
    }
    this.experiments.assertWritable();
  }

  /**
   * Checks for damage what was too large to be checked when it was opened.
   *
   * @param signal ends it early
   * @returns what is wrong; undefined where nothing is
   */
  async check(signal: AbortSignal): Promise<StorageFault | undefined> {
    return this.#databases.check?.(signal);
  }

  /** Reserves room for removals. Throws EXHAUSTED or ENVIRONMENT where there is none. */
  keepReserve(): void {
    this.#reserve.keepWhatFits();
  }

  /** Waits for removals that are under way. */
  settled(): Promise<void> {
    return this.#trash.settled();
  }

  /** Closes the home. Afterwards an SQLite database is a single file with all that was stored. */
  close(): void {
    this.#databases.close();
  }
}
