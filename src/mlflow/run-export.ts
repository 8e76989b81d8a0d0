import type { ExperimentRecord } from "../experiment/domain/record.js";
import { isEnded } from "../experiment/domain/states.js";
import type { MetricStore } from "../experiment/domain/storage-ports.js";
import {
  identifyingTag,
  paramsOf,
  resultsOf,
  seriesPrefix,
  statusOf,
  tagsOf,
} from "./run-content.js";
import { SeriesExport } from "./series-export.js";
import { MAX_METRICS_PER_CALL, type RunStatus, type TrackingServer } from "./tracking-server.js";

/** The run of MLflow that shows an experiment. */
export class RunExport {
  readonly #server: TrackingServer;
  readonly #runId: string;
  readonly #series = new Map<string, SeriesExport>();
  #status: RunStatus | undefined;

  private constructor(server: TrackingServer, runId: string) {
    this.#server = server;
    this.#runId = runId;
  }

  /** The run that an earlier control plane created, or a new one. */
  static async open(
    server: TrackingServer,
    mlflowExperiment: string,
    { experiment }: ExperimentRecord,
  ): Promise<RunExport> {
    const { id, spec, createTime } = experiment;
    const found = await server.findRun(mlflowExperiment, identifyingTag(id));
    const name = spec?.name || id;
    const startMs = createTime?.getTime() ?? 0;
    const runId =
      found ?? (await server.createRun(mlflowExperiment, name, startMs, tagsOf(experiment)));
    if (spec) await server.logParams(runId, paramsOf(spec));
    return new RunExport(server, runId);
  }

  /**
   * Brings the run up to date with what is stored.
   *
   * @returns false where it was stopped before
   */
  async bring(record: ExperimentRecord, store: MetricStore, signal: AbortSignal): Promise<boolean> {
    const { state, endTime } = record.experiment;
    const series = this.#seriesOf(record, store);
    for (;;) {
      if (signal.aborted) return false;
      const parts = [];
      let room = MAX_METRICS_PER_CALL;
      for (const each of series) {
        const part = each.next(store, room);
        parts.push(part);
        room -= part.metrics.length;
      }
      if (room === MAX_METRICS_PER_CALL) break;
      await this.#server.logMetrics(
        this.#runId,
        parts.flatMap(({ metrics }) => metrics),
      );
      for (const { taken } of parts) taken();
    }
    await this.#tell(statusOf(state), isEnded(state) ? record : undefined, endTime);
    return true;
  }

  #seriesOf({ tasks }: ExperimentRecord, store: MetricStore): SeriesExport[] {
    const prefixes = new Map(tasks.map(({ task }) => [task.id, seriesPrefix(task)]));
    return store.summaries([...prefixes.keys()]).map(({ taskId, name, numPoints }) => {
      const key = `${prefixes.get(taskId)}/${name}`;
      const series = this.#series.get(key) ?? new SeriesExport(key, taskId, name);
      this.#series.set(key, series);
      series.numStored = Number(numPoints);
      return series;
    });
  }

  async #tell(
    status: RunStatus,
    ended: ExperimentRecord | undefined,
    endTime: Date | undefined,
  ): Promise<void> {
    if (status === this.#status) return;
    if (ended) await this.#server.logMetrics(this.#runId, resultsOf(ended));
    await this.#server.setStatus(this.#runId, status, endTime?.getTime());
    this.#status = status;
  }
}
