import { z } from "zod";
import type { Metrics } from "../../../experiment/services/metrics.js";
import {
  GetMetricSeriesResponse,
  ListMetricsResponse,
} from "../../../generated/stillhouse/v1/service.js";
import { count, repeated, text, uint64 } from "../query.js";
import { message, messageRoute, type Route } from "../route.js";

const EXPERIMENT = "/api/v1/experiments/{id}";

/** MetricService of the protos over HTTP. */
export function metricRoutes(metrics: Metrics): Route[] {
  return [
    messageRoute({
      method: "get",
      path: `${EXPERIMENT}/metrics`,
      rpc: "MetricService/ListMetrics",
      summary:
        "The metrics of an experiment's tasks, with their last, least and greatest value; a page at a time.",
      query: z.object({ page_size: count(0, 1000, 1000), page_token: text }),
      answer: message("ListMetricsResponse", ListMetricsResponse),
      handle: ({ path: { id = "" }, query }) =>
        metrics.list({
          experimentId: id,
          pageSize: query.page_size,
          pageToken: query.page_token,
        }),
    }),
    messageRoute({
      method: "get",
      path: `${EXPERIMENT}/series`,
      rpc: "MetricService/GetMetricSeries",
      summary: "The points of metrics over the steps, thinned out to a number that can be drawn.",
      query: z.object({
        name: repeated(z.string()).describe("Any of these; none: all that there are."),
        max_points: count(0, 10_000, 0).describe("Points a series at most; 0 means 1000."),
        first_step: uint64,
        last_step: uint64.describe("0 for no end."),
      }),
      answer: message("GetMetricSeriesResponse", GetMetricSeriesResponse),
      handle: ({ path: { id = "" }, query }) =>
        metrics.series({
          experimentId: id,
          names: query.name,
          maxPoints: query.max_points,
          firstStep: BigInt(query.first_step),
          lastStep: BigInt(query.last_step),
        }),
    }),
  ];
}
