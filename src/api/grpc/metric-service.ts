import type { Log } from "../../experiment/domain/ports.js";
import type { Metrics } from "../../experiment/services/metrics.js";
import type { MetricServiceServer } from "../../generated/stillhouse/v1/service.js";
import { unary } from "./calls.js";

/** MetricService of the protos over the domain. */
export function metricService(metrics: Metrics, log: Log): MetricServiceServer {
  return {
    listMetrics: unary(log, (request) => metrics.list(request)),
    getMetricSeries: unary(log, (request) => metrics.series(request)),
  };
}
