import { invalid } from "../../errors.js";
import {
  type GetMetricSeriesRequest,
  type GetMetricSeriesResponse,
  type ListMetricsRequest,
  type ListMetricsResponse,
  MetricSummary,
} from "../../generated/stillhouse/v1/service.js";
import { metricDescriptor } from "../../metric-descriptors.js";
import { pageOf } from "../domain/page-token.js";
import type { MetricStore } from "../domain/storage-ports.js";
import type { Ledger } from "../scheduling/ledger.js";

const DEFAULT_MAX_POINTS = 1_000;
const MIN_MAX_POINTS = 2;
const MAX_MAX_POINTS = 10_000;
/** Points of one answer, so that it fits a message however many series there are. */
const MAX_POINTS_IN_ALL = 200_000;
/** With their names and tasks they fit a message, too. */
const MAX_SERIES = 5_000;
const NO_END = Number.MAX_SAFE_INTEGER;

/** The metrics that tasks have reported, as clients read them. */
export class Metrics {
  readonly #ledger: Pick<Ledger, "record">;
  readonly #store: MetricStore;

  constructor(ledger: Pick<Ledger, "record">, store: MetricStore) {
    this.#ledger = ledger;
    this.#store = store;
  }

  /** A page of them in the order of the tasks, then by name. Throws NOT_FOUND, and INVALID. */
  list({ experimentId, ...request }: ListMetricsRequest): ListMetricsResponse {
    const summaries = this.#store.summaries(this.#tasksOf(experimentId));
    const nameOf = ({ taskId, name }: MetricSummary) => `${taskId} ${name}`;
    const bytesOf = (summary: MetricSummary) =>
      MetricSummary.encode(described(summary)).finish().length;
    const { page, nextPageToken } = pageOf(experimentId, summaries, request, nameOf, bytesOf);
    return { metrics: page.map(described), nextPageToken };
  }

  /** Throws NOT_FOUND for an experiment that does not exist, INVALID for an invalid range. */
  series(request: GetMetricSeriesRequest): GetMetricSeriesResponse {
    const { names, maxPoints } = request;
    if (maxPoints !== 0 && (maxPoints < MIN_MAX_POINTS || maxPoints > MAX_MAX_POINTS)) {
      const range = `0 or from ${MIN_MAX_POINTS} to ${MAX_MAX_POINTS}`;
      throw invalid("max_points", `max_points must be ${range}, got ${maxPoints}`);
    }
    if (request.lastStep !== 0n && request.lastStep < request.firstStep) {
      const message = `last_step must be 0 or at least first_step, ${request.firstStep}, got ${request.lastStep}`;
      throw invalid("last_step", message);
    }
    const firstStep = stepOf(request.firstStep);
    const lastStep = request.lastStep === 0n ? NO_END : stepOf(request.lastStep);
    const tasks = this.#tasksOf(request.experimentId);
    const series = this.#store.series(tasks, names, (numSeries) => ({
      firstStep,
      lastStep,
      maxPoints: pointsOfEach(maxPoints || DEFAULT_MAX_POINTS, numSeries),
    }));
    return { series: series.map(described) };
  }

  #tasksOf(experimentId: string): string[] {
    return this.#ledger.record(experimentId).tasks.map(({ task }) => task.id);
  }
}

function described<Metric extends { readonly name: string }>(metric: Metric) {
  return { ...metric, descriptor: metricDescriptor(metric.name) };
}

function pointsOfEach(maxPoints: number, numSeries: number): number {
  if (numSeries > MAX_SERIES) {
    const allowed = `names must pick at most ${MAX_SERIES} series`;
    throw invalid("names", `${allowed}, got ${numSeries}; name some of the metrics`);
  }
  const share = Math.floor(MAX_POINTS_IN_ALL / Math.max(1, numSeries));
  return Math.max(MIN_MAX_POINTS, Math.min(maxPoints, share));
}

/** No step is greater than what a double holds. */
function stepOf(step: bigint): number {
  return Number(step > BigInt(NO_END) ? BigInt(NO_END) : step);
}
