import { rmSync, writeFileSync } from "node:fs";
import type { StorageProbe } from "../experiment/ports.js";
import { ArtifactFolder } from "./artifact-folder.js";
import type { SqlFile } from "./database.js";
import { SqliteExperimentStore } from "./experiment-store.js";
import { makeHome, pruneLogs } from "./home.js";
import { SqliteMetricStore } from "./metric-store.js";
import { RunLogs } from "./run-logs.js";
import { openDatabase, openForMetrics } from "./schema.js";
import { storageFailure } from "./storage-failure.js";
import { SqliteSweepStore } from "./sweep-store.js";
import { LocalWorkFolders } from "./work-folders.js";

/** Room for some hundred changes, and for a batch of metric points. */
const PROBE_BYTES = 4 << 20;

/** Everything that lies in a home folder, opened. Only who holds the home's lock may open it. */
export class LocalStore implements StorageProbe {
  readonly experiments: SqliteExperimentStore;
  readonly sweeps: SqliteSweepStore;
  readonly metrics: SqliteMetricStore;
  readonly artifacts: ArtifactFolder;
  readonly workFolders: LocalWorkFolders;
  readonly runLogs: RunLogs;
  /** Folder of the logs of workers. */
  readonly logs: string;
  readonly #files: readonly SqlFile[];
  readonly #probe: string;

  private constructor(home: string) {
    const paths = makeHome(home);
    const database = openDatabase(paths.database);
    const metrics = openForMetrics(paths.database);
    this.#files = [metrics, database];
    this.experiments = new SqliteExperimentStore(database);
    this.sweeps = new SqliteSweepStore(database, this.experiments);
    this.metrics = new SqliteMetricStore(metrics);
    this.artifacts = new ArtifactFolder(paths.artifacts);
    this.workFolders = new LocalWorkFolders(paths.work);
    this.runLogs = new RunLogs(paths.runs);
    this.logs = paths.logs;
    this.#probe = `${paths.database}-probe`;
    pruneLogs(paths);
  }

  /** Opens a home and clears away what a process left that was killed. */
  static open(home: string): LocalStore {
    const store = new LocalStore(home);
    store.artifacts.sweep();
    store.#clearLeftovers();
    store.workFolders.sweep((taskId) => store.experiments.isTaskSucceeded(taskId));
    store.runLogs.sweep((id) => store.experiments.find(id) !== undefined);
    return store;
  }

  /** Ends removals that a process was killed in. */
  #clearLeftovers(): void {
    const { artifactIds, taskIds } = this.experiments.leftovers();
    for (const id of artifactIds) this.artifacts.remove(id);
    for (const id of taskIds) this.workFolders.remove(id);
    this.experiments.forgetLeftovers();
  }

  /** Throws EXHAUSTED or ENVIRONMENT. */
  assertWritable(): void {
    try {
      writeFileSync(this.#probe, Buffer.alloc(PROBE_BYTES), { flush: true });
    } catch (error) {
      throw storageFailure(error, this.#probe);
    } finally {
      rmSync(this.#probe, { force: true });
    }
    this.experiments.assertWritable();
  }

  close(): void {
    for (const file of this.#files) file.close();
  }
}
