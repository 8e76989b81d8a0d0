import type { Inspections } from "../../../experiment/services/inspections.js";
import type { ServedParts } from "../../grpc/services.js";
import { unaryMethods } from "../../methods.js";
import type { Route } from "../route.js";
import { artifactRoutes } from "./artifact-routes.js";
import { eventsRoute } from "./events-route.js";
import { messageRoutes } from "./message-routes.js";
import { type Measurements, systemRoutes } from "./system-routes.js";

export interface RoutedParts extends ServedParts {
  readonly inspections: Inspections;
  readonly telemetry: Measurements;
}

/** Every route of the HTTP interface but its own description. */
export function routes(parts: RoutedParts): Route[] {
  const { experiments, telemetry, log } = parts;
  return [
    ...messageRoutes(unaryMethods(parts)),
    eventsRoute(experiments, log),
    ...artifactRoutes(parts),
    ...systemRoutes(() => experiments.refusal, telemetry),
  ];
}
