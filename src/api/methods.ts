import type { Experiments } from "../experiment/services/experiments.js";
import type { Fleet } from "../experiment/services/fleet.js";
import type { Metrics } from "../experiment/services/metrics.js";
import type { Sweeps } from "../experiment/services/sweeps.js";
import type {
  ExperimentServiceService,
  MetricServiceService,
  SweepServiceService,
  WorkerServiceService,
} from "../generated/stillhouse/v1/service.js";
import type { AllowedFolders } from "../security/allowed-folders.js";
import type { Identity } from "../security/identity.js";
import { placesCheck } from "../security/own-request.js";

/** Answers a request with one message, whichever protocol it came by. */
export type Answering<Request, Response> = (
  request: Request,
  caller: Identity,
) => Response | Promise<Response>;

/** The methods of a service that answer one message with one. */
type UnaryMethods<Service> = {
  readonly [M in keyof Service as Service[M] extends Unary ? M : never]: Service[M] extends {
    requestDeserialize: (bytes: Buffer) => infer Request;
    responseDeserialize: (bytes: Buffer) => infer Response;
  }
    ? Answering<Request, Response>
    : never;
};

interface Unary {
  readonly requestStream: false;
  readonly responseStream: false;
}

export interface AnsweringParts {
  readonly experiments: Experiments;
  readonly sweeps: Sweeps;
  readonly metrics: Metrics;
  readonly fleet: Fleet;
  /** Below which callers with a token may name data sets and models. */
  readonly folders: AllowedFolders;
}

/** What answers each unary method, by service and method; gRPC and HTTP both call it. */
export function unaryMethods({ experiments, sweeps, metrics, fleet, folders }: AnsweringParts) {
  return {
    ExperimentService: {
      resolveExperiment: (request, caller) =>
        experiments.resolve(request, placesCheck(caller, folders)),
      createExperiment: (request) => ({ experiment: experiments.create(request) }),
      getExperiment: ({ experimentId }) => experiments.get(experimentId),
      listExperiments: (request) => experiments.list(request),
      cancelExperiment: async ({ experimentId }) => ({
        experiment: await experiments.cancel(experimentId),
      }),
      resumeExperiment: ({ experimentId }) => ({ experiment: experiments.resume(experimentId) }),
      retryExperiment: ({ experimentId }) => ({ experiment: experiments.retry(experimentId) }),
      deleteExperiment: ({ experimentId }) => {
        experiments.delete(experimentId);
        return {};
      },
      compareExperiments: (request) => experiments.compare(request),
    } satisfies UnaryMethods<typeof ExperimentServiceService>,
    SweepService: {
      createSweep: (request) => sweeps.create(request),
      getSweep: (request) => sweeps.get(request),
      listSweeps: (request) => sweeps.list(request),
    } satisfies UnaryMethods<typeof SweepServiceService>,
    MetricService: {
      listMetrics: (request) => metrics.list(request),
      getMetricSeries: (request) => metrics.series(request),
    } satisfies UnaryMethods<typeof MetricServiceService>,
    WorkerService: {
      listWorkers: (request) => fleet.list(request),
      drainWorker: (request) => fleet.drain(request),
    } satisfies UnaryMethods<typeof WorkerServiceService>,
  };
}

export type AllUnaryMethods = ReturnType<typeof unaryMethods>;
