import type { Log } from "../../experiment/domain/ports.js";
import type { ArtifactStore, ExperimentStore } from "../../experiment/domain/storage-ports.js";
import type { Dispatcher } from "../../experiment/scheduling/dispatcher.js";
import type { Checkpoints } from "../../experiment/services/checkpoints.js";
import type { FoldersOfClients } from "../../experiment/services/client-folders.js";
import {
  ArtifactServiceService,
  MetricServiceService,
  SweepServiceService,
  WorkerServiceService,
} from "../../generated/stillhouse/v1/service.js";
import { type AnsweringParts, unaryMethods } from "../methods.js";
import { artifactService } from "./artifact-service.js";
import { allUnary } from "./calls.js";
import { EXPERIMENT_SERVICE, experimentService } from "./experiment-service.js";
import type { Service } from "./server.js";

/** The implementations of the services. */
export interface ServedParts extends AnsweringParts {
  readonly dispatcher: Dispatcher;
  readonly store: ExperimentStore;
  readonly artifacts: ArtifactStore;
  readonly checkpoints: Checkpoints;
  readonly clientFolders: FoldersOfClients;
  readonly log: Log;
}

/** Every service of the protos. */
export function services(parts: ServedParts): Service[] {
  const { experiments, log } = parts;
  const unary = unaryMethods(parts);
  const { ExperimentService, SweepService, MetricService, WorkerService } = unary;
  return [
    {
      definition: EXPERIMENT_SERVICE,
      methods: experimentService(experiments, ExperimentService, log),
    },
    { definition: SweepServiceService, methods: allUnary(log, SweepService) },
    { definition: MetricServiceService, methods: allUnary(log, MetricService) },
    { definition: WorkerServiceService, methods: allUnary(log, WorkerService) },
    {
      definition: ArtifactServiceService,
      methods: artifactService(parts),
    },
  ];
}
