import { FailureKind, StillhouseError } from "../../errors.js";
import type { Experiments } from "../../experiment/experiments.js";
import type { Log } from "../../experiment/ports.js";
import type { Event } from "../../generated/stillhouse/v1/experiment.js";
import type {
  ExperimentServiceServer,
  WatchExperimentResponse,
} from "../../generated/stillhouse/v1/service.js";
import { serverStream, unary } from "./calls.js";

/** ExperimentService of the protos over the domain. */
export function experimentService(experiments: Experiments, log: Log): ExperimentServiceServer {
  return {
    resolveExperiment: unary(log, ({ draft }) => experiments.resolve(given(draft, "draft"))),
    createExperiment: unary(log, ({ spec, requestId, reuseAfter }) => ({
      experiment: experiments.create(given(spec, "spec"), requestId, reuseAfter),
    })),
    getExperiment: unary(log, ({ experimentId }) => experiments.get(experimentId)),
    listExperiments: unary(log, ({ pageSize, pageToken }) => experiments.list(pageSize, pageToken)),
    watchExperiment: serverStream(log, ({ experimentId, afterSequence }, signal) =>
      responses(experiments.watch(experimentId, afterSequence, signal)),
    ),
    cancelExperiment: unary(log, async ({ experimentId }) => ({
      experiment: await experiments.cancel(experimentId),
    })),
    resumeExperiment: unary(log, ({ experimentId }) => ({
      experiment: experiments.resume(experimentId),
    })),
  };
}

async function* responses(events: AsyncIterable<Event>): AsyncGenerator<WatchExperimentResponse> {
  for await (const event of events) yield { event };
}

function given<Message>(message: Message | undefined, field: string): Message {
  if (message !== undefined) return message;
  throw new StillhouseError(FailureKind.FAILURE_KIND_INVALID, `${field} must be set`, { field });
}
