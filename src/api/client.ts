import { type EventEmitter, once } from "node:events";
import type { ClientReadableStream, ClientWritableStream, ServiceError } from "@grpc/grpc-js";
import { present } from "../errors.js";
import type { ArtifactFile, Event, Experiment } from "../generated/stillhouse/v1/experiment.js";
import {
  ArtifactServiceClient,
  type CompareExperimentsResponse,
  type CreateExperimentRequest,
  CreateSweepRequest,
  DownloadArtifactRequest,
  type DownloadArtifactResponse,
  ExperimentFilter,
  ExperimentOrder,
  ExperimentServiceClient,
  type GetExperimentResponse,
  GetMetricSeriesRequest,
  type ListExperimentsResponse,
  type ListMetricsResponse,
  type ListSweepsResponse,
  type ListWorkersResponse,
  type MetricSeries,
  MetricServiceClient,
  type MetricSummary,
  type PrepareFolderResponse,
  type ResolveExperimentResponse,
  type Sweep,
  SweepServiceClient,
  type UploadFolderFilesRequest,
  type WatchExperimentResponse,
  type Worker,
  type WorkerPool,
  WorkerServiceClient,
} from "../generated/stillhouse/v1/service.js";
import type { ExperimentSpec } from "../generated/stillhouse/v1/spec.js";
import { channelOf, type Endpoint } from "./endpoint.js";
import { errorOf } from "./grpc/failure-metadata.js";

/**
 * An experiment, and the folder of its artifact on the server's machine; empty before it exists.
 */
export type FoundExperiment = GetExperimentResponse & { experiment: Experiment };

type Answer<Response> = (error: ServiceError | null, response: Response) => void;

/**
 * A client of the experiment service. Every error is a StillhouseError: the one that the server
 * reported, or UNAVAILABLE when no server answers.
 */
export class StillhouseClient {
  readonly #address: string;
  readonly #stub: ExperimentServiceClient;
  readonly #artifacts: ArtifactServiceClient;
  readonly #metrics: MetricServiceClient;
  readonly #workers: WorkerServiceClient;
  readonly #sweeps: SweepServiceClient;

  /**
   * @param endpoint HOST:PORT alone for one without keys; nothing is connected before the first
   * call
   */
  constructor(endpoint: Endpoint | string) {
    const { address, credentials, options } = channelOf(
      typeof endpoint === "string" ? { address: endpoint } : endpoint,
    );
    this.#address = address;
    this.#stub = new ExperimentServiceClient(address, credentials, options);
    // One connection for all.
    const channelOverride = this.#stub.getChannel();
    const shared = [address, credentials, { ...options, channelOverride }] as const;
    this.#artifacts = new ArtifactServiceClient(...shared);
    this.#metrics = new MetricServiceClient(...shared);
    this.#workers = new WorkerServiceClient(...shared);
    this.#sweeps = new SweepServiceClient(...shared);
  }

  /** Fills in a draft and plans its tasks; downloads what is missing first, so it may take long. */
  resolve(draft: ExperimentSpec): Promise<ResolveExperimentResponse> {
    return this.#call((answer) => this.#stub.resolveExperiment({ draft }, answer));
  }

  /**
   * Stores and queues a resolved spec; the same request id again returns the same experiment.
   *
   * @param reuseAfter results that ended before are not taken; absent: any may be
   * @param placement whose turn it is and before whom
   */
  async create(
    spec: ExperimentSpec,
    requestId: string,
    reuseAfter?: Date,
    placement: Partial<Pick<CreateExperimentRequest, "priority" | "owner">> = {},
  ): Promise<Experiment> {
    const request = { spec, requestId, reuseAfter, priority: 0, owner: "", ...placement };
    const response = await this.#call<{ experiment: Experiment | undefined }>((answer) =>
      this.#stub.createExperiment(request, answer),
    );
    return this.#returned(response.experiment, "experiment when it was to create one");
  }

  async get(experimentId: string): Promise<FoundExperiment> {
    const response = await this.#call<GetExperimentResponse>((answer) =>
      this.#stub.getExperiment({ experimentId }, answer),
    );
    const experiment = this.#returned(response.experiment, `experiment for id ${experimentId}`);
    return { ...response, experiment };
  }

  /** @param order newest first where it is absent */
  list(
    pageSize: number,
    pageToken: string,
    filter: Partial<ExperimentFilter> = {},
    order = ExperimentOrder.NEWEST_FIRST,
  ): Promise<ListExperimentsResponse> {
    const request = { pageSize, pageToken, filter: ExperimentFilter.fromPartial(filter), order };
    return this.#call((answer) => this.#stub.listExperiments(request, answer));
  }

  /**
   * First the experiment as it is, then its events until it ends. To continue after a lost
   * connection, pass the greatest sequence that was seen.
   *
   * @param afterSequence 0 for all events
   * @param signal when it aborts, the iteration ends without an error
   * @param storedOnly ends after the events that are stored
   */
  async *watch(
    experimentId: string,
    afterSequence: bigint,
    signal?: AbortSignal,
    storedOnly = false,
  ): AsyncGenerator<Event, void> {
    if (signal?.aborted) return;
    const call = this.#stub.watchExperiment({ experimentId, afterSequence, storedOnly });
    // After a cancel gRPC emits one more error, which nobody waits for.
    call.on("error", () => undefined);
    const cancel = () => call.cancel();
    signal?.addEventListener("abort", cancel, { once: true });
    try {
      yield* eventsOf(call);
    } catch (error) {
      if (!signal?.aborted) throw errorOf(error as ServiceError, this.#address);
    } finally {
      signal?.removeEventListener("abort", cancel);
      call.cancel();
    }
  }

  /** Resolves once none of its tasks is running. */
  async cancel(experimentId: string): Promise<Experiment> {
    const response = await this.#call<{ experiment: Experiment | undefined }>((answer) =>
      this.#stub.cancelExperiment({ experimentId }, answer),
    );
    return this.#returned(response.experiment, `experiment for id ${experimentId}`);
  }

  /** Queues what is not done of a cancelled or failed experiment. */
  async resume(experimentId: string): Promise<Experiment> {
    const response = await this.#call<{ experiment: Experiment | undefined }>((answer) =>
      this.#stub.resumeExperiment({ experimentId }, answer),
    );
    return this.#returned(response.experiment, `experiment for id ${experimentId}`);
  }

  /** As `resume`, but unfinished tasks start again, without their checkpoints. */
  async retry(experimentId: string): Promise<Experiment> {
    const response = await this.#call<{ experiment: Experiment | undefined }>((answer) =>
      this.#stub.retryExperiment({ experimentId }, answer),
    );
    return this.#returned(response.experiment, `experiment for id ${experimentId}`);
  }

  /** Removes an experiment that has ended, with all that only it uses. */
  async delete(experimentId: string): Promise<void> {
    await this.#call((answer) => this.#stub.deleteExperiment({ experimentId }, answer));
  }

  /** @param experimentIds the first is what the others are compared with */
  compare(experimentIds: string[]): Promise<CompareExperimentsResponse> {
    return this.#call((answer) => this.#stub.compareExperiments({ experimentIds }, answer));
  }

  /**
   * The metrics of an experiment's tasks, without their points.
   *
   * @param pageSize how many are read at a time, 1 to 1000; 0 leaves it to the server
   */
  metrics(experimentId: string, pageSize = 0): Promise<MetricSummary[]> {
    return everyPage(async (pageToken) => {
      const request = { experimentId, pageSize, pageToken };
      const page = await this.#call<ListMetricsResponse>((answer) =>
        this.#metrics.listMetrics(request, answer),
      );
      return { items: page.metrics, nextPageToken: page.nextPageToken };
    });
  }

  /** @param wanted which series, and what of them; all that is absent means the default */
  async series(
    experimentId: string,
    wanted: Partial<Omit<GetMetricSeriesRequest, "experimentId">> = {},
  ): Promise<MetricSeries[]> {
    const request = GetMetricSeriesRequest.fromPartial({ experimentId, ...wanted });
    const response = await this.#call<{ series: MetricSeries[] }>((answer) =>
      this.#metrics.getMetricSeries(request, answer),
    );
    return response.series;
  }

  /** Stores resolved specs as one sweep, all or none; what is absent means the default. */
  async createSweep(request: Partial<CreateSweepRequest>): Promise<Sweep> {
    const response = await this.#call<{ sweep: Sweep | undefined }>((answer) =>
      this.#sweeps.createSweep(CreateSweepRequest.fromPartial(request), answer),
    );
    return this.#returned(response.sweep, "sweep when it was to create one");
  }

  async sweep(sweepId: string): Promise<Sweep> {
    const response = await this.#call<{ sweep: Sweep | undefined }>((answer) =>
      this.#sweeps.getSweep({ sweepId }, answer),
    );
    return this.#returned(response.sweep, `sweep for id ${sweepId}`);
  }

  /** Newest first. */
  sweeps(pageSize: number, pageToken: string): Promise<ListSweepsResponse> {
    return this.#call((answer) => this.#sweeps.listSweeps({ pageSize, pageToken }, answer));
  }

  /**
   * Every worker, by its id.
   *
   * @param pageSize how many are read at a time, 1 to 1000; 0 leaves it to the server
   */
  workers(pageSize = 0): Promise<Worker[]> {
    return everyPage(async (pageToken) => {
      const page = await this.#call<ListWorkersResponse>((answer) =>
        this.#workers.listWorkers({ pageSize, pageToken }, answer),
      );
      return { items: page.workers, nextPageToken: page.nextPageToken };
    });
  }

  /** Where the control plane starts workers by itself. */
  async pools(): Promise<WorkerPool[]> {
    const request = { pageSize: 1, pageToken: "" };
    const page = await this.#call<ListWorkersResponse>((answer) =>
      this.#workers.listWorkers(request, answer),
    );
    return page.pools;
  }

  /** The worker finishes its task, gets no other, and leaves. */
  async drainWorker(workerId: string): Promise<void> {
    await this.#call((answer) => this.#workers.drainWorker({ workerId }, answer));
  }

  /** The bytes of a file of an artifact, from the first to the last. */
  async *download(artifactId: string, fileName: string): AsyncGenerator<Uint8Array, void> {
    const request = DownloadArtifactRequest.fromPartial({ artifactId, fileName });
    const call = this.#artifacts.downloadArtifact(request);
    try {
      for await (const { chunk } of call as AsyncIterable<DownloadArtifactResponse>) yield chunk;
    } catch (error) {
      throw errorOf(error as ServiceError, this.#address);
    } finally {
      call.cancel();
    }
  }

  /** See PrepareFolder of the protos. */
  prepareFolder(files: ArtifactFile[], isDryRun: boolean): Promise<PrepareFolderResponse> {
    return this.#call((answer) =>
      this.#artifacts.prepareFolder({ folder: { files }, isDryRun }, answer),
    );
  }

  /**
   * Uploads files, all or none.
   *
   * @param files with their hashes as names
   * @param bytes of all of them, one after the other; a chunk never spans two
   */
  async uploadFolderFiles(files: ArtifactFile[], bytes: AsyncIterable<Buffer>): Promise<void> {
    let fault: unknown;
    let call: ClientWritableStream<UploadFolderFilesRequest> | undefined;
    const answered = this.#call((answer) => {
      call = this.#artifacts.uploadFolderFiles(answer);
      call.on("error", () => undefined);
    }).catch((error) => {
      fault = error;
    });
    const write = async (part: UploadFolderFilesRequest["part"]) => {
      if (!call?.write({ part }))
        await Promise.race([once(call as EventEmitter, "drain"), answered]);
    };
    try {
      await write({ $case: "header", value: { files } });
      for await (const value of bytes) {
        if (fault !== undefined) break;
        await write({ $case: "chunk", value });
      }
      call?.end();
    } catch (error) {
      call?.cancel();
      throw error;
    }
    await answered;
    if (fault !== undefined) throw fault;
  }

  close(): void {
    this.#stub.close();
  }

  #call<Response>(send: (answer: Answer<Response>) => unknown): Promise<Response> {
    return new Promise((resolve, reject) => {
      send((error, response) => {
        if (error) reject(errorOf(error, this.#address));
        else resolve(response);
      });
    });
  }

  #returned<Message>(message: Message | undefined, what: string): Message {
    return present(message, `the server at ${this.#address} returned no ${what}`);
  }
}

async function* eventsOf(call: ClientReadableStream<WatchExperimentResponse>) {
  for await (const response of call as AsyncIterable<WatchExperimentResponse>) {
    if (response.event) yield response.event;
  }
}

async function everyPage<Item>(
  read: (pageToken: string) => Promise<{ items: readonly Item[]; nextPageToken: string }>,
): Promise<Item[]> {
  const items: Item[] = [];
  let pageToken = "";
  do {
    const page = await read(pageToken);
    items.push(...page.items);
    pageToken = page.nextPageToken;
  } while (pageToken !== "");
  return items;
}
