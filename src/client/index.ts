/** The npm package `stillhouse-client`: what programs outside this project use. */
export { StillhouseClient } from "../api/client.js";
export type { Endpoint } from "../api/endpoint.js";
export { FailureKind, StillhouseError } from "../errors.js";
export {
  type Artifact,
  type Event,
  type Experiment,
  State,
  type Task,
  type TaskResult,
} from "../generated/stillhouse/v1/experiment.js";
export {
  type ComparedExperiment,
  type ExperimentFilter,
  ExperimentOrder,
  type MetricSeries,
  type MetricSummary,
  type Sweep,
  type Worker,
  WorkerState,
} from "../generated/stillhouse/v1/service.js";
export { ExperimentSpec } from "../generated/stillhouse/v1/spec.js";
