import { z } from "zod";
import type { TrackingAddress } from "./tracking-address.js";

/** Limits of MLflow per call. */
export const MAX_METRICS_PER_CALL = 1_000;
export const MAX_PARAMS_PER_CALL = 100;
const TIMEOUT_MS = 10_000;

export interface Pair {
  readonly key: string;
  readonly value: string;
}

export interface Metric {
  readonly key: string;
  /** NaN and infinities are sent as words, since JSON has no numbers for them. */
  readonly value: number | "NaN" | "Infinity" | "-Infinity";
  /** Milliseconds since 1970. */
  readonly timestamp: number;
  readonly step: number;
}

export type RunStatus = "RUNNING" | "SCHEDULED" | "FINISHED" | "FAILED" | "KILLED";

/** Why a call failed. */
export class TrackingError extends Error {
  /** Whether the server answered and will refuse the call however often it is tried. */
  readonly isFinal: boolean;
  /** MLflow's error code; empty where it gave none. */
  readonly code: string;

  constructor(message: string, isFinal: boolean, code = "") {
    super(message);
    this.isFinal = isFinal;
    this.code = code;
  }
}

const failureSchema = z.object({ error_code: z.string(), message: z.string() });
const experimentSchema = z.object({ experiment_id: z.string() });
const foundExperimentSchema = z.object({ experiment: experimentSchema });
const runSchema = z.object({ info: z.object({ run_id: z.string() }) });
const createdRunSchema = z.object({ run: runSchema });
const foundRunsSchema = z.object({ runs: z.array(runSchema).default([]) });

/** What an export needs of MLflow's REST API. Every call throws TrackingError when it fails. */
export class TrackingServer {
  readonly #base: string;
  readonly #headers: Readonly<Record<string, string>>;
  readonly #signal: AbortSignal;
  /** Its address without credentials, for messages. */
  readonly name: string;

  /** @param signal ends every call */
  constructor({ url, token }: TrackingAddress, signal: AbortSignal) {
    this.#signal = signal;
    this.name = url.host + url.pathname.replace(/\/$/, "");
    this.#base = `${url.protocol}//${this.name}/api/2.0/mlflow`;
    this.#headers = { "Content-Type": "application/json", ...authorization(url, token) };
  }

  /** Id of the experiment of that name, which is created if it does not exist. */
  async experiment(name: string): Promise<string> {
    const path = `experiments/get-by-name?${new URLSearchParams({ experiment_name: name })}`;
    const find = async () =>
      foundExperimentSchema.parse(await this.#call("GET", path)).experiment.experiment_id;
    try {
      return await find();
    } catch (error) {
      if (!hasCode(error, "RESOURCE_DOES_NOT_EXIST")) throw error;
    }
    try {
      const created = await this.#call("POST", "experiments/create", { name });
      return experimentSchema.parse(created).experiment_id;
    } catch (error) {
      // Another client created it in the meantime.
      if (!hasCode(error, "RESOURCE_ALREADY_EXISTS")) throw error;
      return find();
    }
  }

  /** Id of the run with a tag. */
  async findRun(experimentId: string, { key, value }: Pair): Promise<string | undefined> {
    const found = await this.#call("POST", "runs/search", {
      experiment_ids: [experimentId],
      filter: `tags.\`${key}\` = '${value}'`,
      max_results: 1,
    });
    return foundRunsSchema.parse(found).runs[0]?.info.run_id;
  }

  /** @returns the id of the run */
  async createRun(
    experimentId: string,
    name: string,
    startTime: number,
    tags: readonly Pair[],
  ): Promise<string> {
    const run = { experiment_id: experimentId, run_name: name, start_time: startTime, tags };
    return createdRunSchema.parse(await this.#call("POST", "runs/create", run)).run.info.run_id;
  }

  /** Existing values stay as they are. */
  async logParams(runId: string, params: readonly Pair[]): Promise<void> {
    for (let at = 0; at < params.length; at += MAX_PARAMS_PER_CALL) {
      const batch = params.slice(at, at + MAX_PARAMS_PER_CALL);
      await this.#call("POST", "runs/log-batch", { run_id: runId, params: batch });
    }
  }

  /** Existing values stay as they are. */
  async logMetrics(runId: string, metrics: readonly Metric[]): Promise<void> {
    for (let at = 0; at < metrics.length; at += MAX_METRICS_PER_CALL) {
      const batch = metrics.slice(at, at + MAX_METRICS_PER_CALL);
      await this.#call("POST", "runs/log-batch", { run_id: runId, metrics: batch });
    }
  }

  async setStatus(runId: string, status: RunStatus, endTime: number | undefined): Promise<void> {
    await this.#call("POST", "runs/update", { run_id: runId, status, end_time: endTime });
  }

  async #call(method: "GET" | "POST", path: string, body?: object): Promise<unknown> {
    const response = await fetch(`${this.#base}/${path}`, {
      method,
      headers: this.#headers,
      body: body === undefined ? null : JSON.stringify(body),
      signal: AbortSignal.any([this.#signal, AbortSignal.timeout(TIMEOUT_MS)]),
    }).catch((error: unknown) => {
      throw new TrackingError(reasonOf(error), false);
    });
    const text = await response.text().catch(() => "");
    if (response.ok) return parsed(text);
    throw refusal(response.status, text);
  }
}

function authorization(url: URL, token: string | undefined): Record<string, string> {
  if (token !== undefined) return { Authorization: `Bearer ${token}` };
  if (url.username === "") return {};
  const pair = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`;
  return { Authorization: `Basic ${Buffer.from(pair).toString("base64")}` };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new TrackingError("it does not answer as MLflow does", false);
  }
}

/** A wrong request stays wrong; permissions and the answers of a proxy may change. */
function refusal(status: number, text: string): TrackingError {
  try {
    const { error_code, message } = failureSchema.parse(JSON.parse(text));
    return new TrackingError(
      `${error_code}: ${message}`,
      status === 400 || status === 404,
      error_code,
    );
  } catch {
    return new TrackingError(`it answers with HTTP status ${status}`, false);
  }
}

function hasCode(error: unknown, code: string): boolean {
  return error instanceof TrackingError && error.code === code;
}

function reasonOf(error: unknown): string {
  const { name, message, cause } = error as Error;
  if (name === "TimeoutError") return `it did not answer within ${TIMEOUT_MS / 1000} s`;
  const { code } = (cause ?? {}) as { code?: string };
  return code ?? message;
}
