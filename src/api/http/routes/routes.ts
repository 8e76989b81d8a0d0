import type { Inspections } from "../../../experiment/services/inspections.js";
import type { ServedParts } from "../../grpc/services.js";
import type { Route } from "../route.js";
import { artifactRoutes } from "./artifact-routes.js";
import { experimentRoutes } from "./experiment-routes.js";
import { metricRoutes } from "./metric-routes.js";
import { sweepRoutes } from "./sweep-routes.js";
import { type Measurements, systemRoutes } from "./system-routes.js";
import { workerRoutes } from "./worker-routes.js";

export interface RoutedParts extends ServedParts {
  readonly inspections: Inspections;
  readonly telemetry: Measurements;
}

/** Every route of the HTTP interface but its own description. */
export function routes(parts: RoutedParts): Route[] {
  const { experiments, sweeps, metrics, fleet, telemetry, log } = parts;
  return [
    ...experimentRoutes(experiments, log),
    ...metricRoutes(metrics),
    ...sweepRoutes(sweeps),
    ...artifactRoutes(parts),
    ...workerRoutes(fleet),
    ...systemRoutes(() => experiments.refusal, telemetry),
  ];
}
