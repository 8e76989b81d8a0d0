import { setTimeout as sleep } from "node:timers/promises";
import { type Observer, UNOBSERVED } from "../experiment/domain/observer.js";
import type { Log } from "../experiment/domain/ports.js";
import type { ExperimentRecord } from "../experiment/domain/record.js";
import { isEnded } from "../experiment/domain/states.js";
import type { ExperimentStore, MetricStore } from "../experiment/domain/storage-ports.js";
import { RunExport } from "./run-export.js";
import type { TrackingAddress } from "./tracking-address.js";
import { TrackingError, TrackingServer } from "./tracking-server.js";

/** The experiment of MLflow that all runs go into. */
const EXPERIMENT = "stillhouse";
const PASS_MS = 2_000;
/** Longest wait before a server that does not answer is asked again. */
const MAX_WAIT_MS = 60_000;

export interface MlflowSources {
  readonly experiments: Pick<ExperimentStore, "find">;
  readonly metrics: MetricStore;
  readonly log: Log;
}

/**
 * Copies experiments to an MLflow tracking server, one run each, whenever they change. It reads
 * what is stored, so nothing waits for that server, and a server that was away gets what it missed.
 */
export class MlflowExport implements Observer {
  readonly #server: TrackingServer;
  readonly #sources: MlflowSources;
  readonly #changed = new Set<string>();
  /** Experiments that the server refused. */
  readonly #refused = new Set<string>();
  /** Exports of experiments that have not ended. */
  readonly #runs = new Map<string, RunExport>();
  readonly #stopping = new AbortController();
  readonly #ending = new AbortController();
  readonly #loop: Promise<void>;
  readonly tookOver = UNOBSERVED.tookOver;
  readonly leaseExpired = UNOBSERVED.leaseExpired;
  readonly reportRefused = UNOBSERVED.reportRefused;
  readonly claimRefused = UNOBSERVED.claimRefused;
  readonly workerRefused = UNOBSERVED.workerRefused;
  #experiment: string | undefined;
  #trouble = "";
  #waitMs = PASS_MS;

  constructor(address: TrackingAddress, sources: MlflowSources) {
    this.#server = new TrackingServer(address, this.#ending.signal);
    this.#sources = sources;
    this.#loop = this.#run();
  }

  changed(_before: ExperimentRecord | undefined, { experiment }: ExperimentRecord): void {
    this.#note(experiment.id);
  }

  metrics({ experimentId }: { readonly experimentId: string }): void {
    this.#note(experimentId);
  }

  /** Forgets a removed experiment. Its run in MLflow stays. */
  removed(experimentId: string): void {
    for (const known of [this.#changed, this.#refused, this.#runs]) known.delete(experimentId);
  }

  /** Exports the rest, unless the server does not answer or it takes longer than this. */
  async stop(withinMs: number): Promise<void> {
    this.#stopping.abort();
    const limit = setTimeout(() => this.#ending.abort(), withinMs);
    await this.#loop;
    if (this.#trouble === "") await this.#pass(this.#ending.signal);
    clearTimeout(limit);
    if (this.#changed.size === 0) return;
    const ids = [...this.#changed].join(", ");
    this.#sources.log.warn(`MLflow at ${this.#server.name} did not get all of ${ids}`);
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      await sleep(this.#waitMs, undefined, { signal, ref: false }).catch(() => undefined);
      if (!signal.aborted) await this.#pass(signal);
    }
  }

  #note(id: string): void {
    if (!this.#refused.has(id)) this.#changed.add(id);
  }

  async #pass(signal: AbortSignal): Promise<void> {
    for (const id of [...this.#changed]) {
      if (signal.aborted) return;
      // Changes that arrive during the export count for the next pass.
      this.#changed.delete(id);
      try {
        await this.#export(id, signal);
        this.#isFine();
      } catch (error) {
        if (error instanceof TrackingError && error.isFinal) this.#refuse(id, error);
        else return this.#failed(id, error);
      }
    }
  }

  async #export(id: string, signal: AbortSignal): Promise<void> {
    const record = this.#sources.experiments.find(id);
    if (record === undefined) return;
    this.#experiment ??= await this.#server.experiment(EXPERIMENT);
    const run =
      this.#runs.get(id) ?? (await RunExport.open(this.#server, this.#experiment, record));
    this.#runs.set(id, run);
    const isWhole = await run.bring(record, this.#sources.metrics, signal);
    if (!isWhole) this.#changed.add(id);
    else if (isEnded(record.experiment.state)) this.#runs.delete(id);
  }

  #isFine(): void {
    this.#waitMs = PASS_MS;
    if (this.#trouble === "") return;
    this.#trouble = "";
    this.#sources.log.info(`MLflow at ${this.#server.name} answers again`);
  }

  #refuse(id: string, { message }: TrackingError): void {
    this.#refused.add(id);
    this.#changed.delete(id);
    this.#runs.delete(id);
    const { name } = this.#server;
    this.#sources.log.warn(`MLflow at ${name} does not take experiment ${id}: ${message}`);
  }

  /** The same trouble is reported once. */
  #failed(id: string, error: unknown): void {
    this.#changed.add(id);
    if (this.#ending.signal.aborted) return;
    this.#waitMs = Math.min(2 * this.#waitMs, MAX_WAIT_MS);
    const reason = error instanceof Error ? error.message : String(error);
    if (this.#trouble === reason) return;
    this.#trouble = reason;
    const { name } = this.#server;
    this.#sources.log.warn(`MLflow at ${name} gets nothing for now (${reason}); runs go on`);
  }
}
