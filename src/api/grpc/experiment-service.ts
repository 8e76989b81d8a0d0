import type { handleUnaryCall, UntypedServiceImplementation } from "@grpc/grpc-js";
import type { Log } from "../../experiment/domain/ports.js";
import type { EncodedPage } from "../../experiment/domain/storage-ports.js";
import type { Experiments } from "../../experiment/services/experiments.js";
import type { Event } from "../../generated/stillhouse/v1/experiment.js";
import {
  type ExperimentServiceServer,
  ExperimentServiceService,
  type ListExperimentsRequest,
  type WatchExperimentResponse,
} from "../../generated/stillhouse/v1/service.js";
import type { AllUnaryMethods } from "../methods.js";
import { allUnary, serverStream, unary } from "./calls.js";
import { listBytes } from "./list-bytes.js";

/** ExperimentService of the protos, whose lists are sent as bytes that are encoded already. */
export const EXPERIMENT_SERVICE = {
  ...ExperimentServiceService,
  listExperiments: { ...ExperimentServiceService.listExperiments, responseSerialize: listBytes },
};

type Methods = Omit<ExperimentServiceServer, "listExperiments"> & {
  readonly listExperiments: handleUnaryCall<ListExperimentsRequest, EncodedPage>;
} & UntypedServiceImplementation;

/** `EXPERIMENT_SERVICE` over the domain. */
export function experimentService(
  experiments: Experiments,
  methods: AllUnaryMethods["ExperimentService"],
  log: Log,
): Methods {
  return {
    ...allUnary(log, methods),
    listExperiments: unary(log, (request) => experiments.listEncoded(request)),
    watchExperiment: serverStream(log, (request, signal) =>
      responses(experiments.watch(request, signal)),
    ),
  };
}

async function* responses(events: AsyncIterable<Event>): AsyncGenerator<WatchExperimentResponse> {
  for await (const event of events) yield { event };
}
