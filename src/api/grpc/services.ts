import type { ArtifactStore, ExperimentStore, Log } from "../../experiment/domain/ports.js";
import type { Dispatcher } from "../../experiment/scheduling/dispatcher.js";
import type { Experiments } from "../../experiment/services/experiments.js";
import type { Fleet } from "../../experiment/services/fleet.js";
import type { Metrics } from "../../experiment/services/metrics.js";
import type { Sweeps } from "../../experiment/services/sweeps.js";
import {
  ArtifactServiceService,
  MetricServiceService,
  SweepServiceService,
  WorkerServiceService,
} from "../../generated/stillhouse/v1/service.js";
import type { AllowedFolders } from "../../security/allowed-folders.js";
import { artifactService } from "./artifact-service.js";
import { EXPERIMENT_SERVICE, experimentService } from "./experiment-service.js";
import { metricService } from "./metric-service.js";
import type { Service } from "./server.js";
import { sweepService } from "./sweep-service.js";
import { workerService } from "./worker-service.js";

/** What the services are carried out by. */
export interface ServedParts {
  readonly experiments: Experiments;
  readonly sweeps: Sweeps;
  readonly metrics: Metrics;
  readonly fleet: Fleet;
  readonly dispatcher: Dispatcher;
  readonly store: ExperimentStore;
  readonly artifacts: ArtifactStore;
  /** Below which callers with a token may name data sets and models. */
  readonly folders: AllowedFolders;
  readonly log: Log;
}

/** Every service of the protos. */
export function services(parts: ServedParts): Service[] {
  const { experiments, sweeps, metrics, fleet, dispatcher, store, artifacts, folders, log } = parts;
  return [
    { definition: EXPERIMENT_SERVICE, methods: experimentService(experiments, folders, log) },
    { definition: SweepServiceService, methods: sweepService(sweeps, log) },
    { definition: MetricServiceService, methods: metricService(metrics, log) },
    { definition: WorkerServiceService, methods: workerService(fleet, log) },
    {
      definition: ArtifactServiceService,
      methods: artifactService(dispatcher, store, artifacts, log),
    },
  ];
}
