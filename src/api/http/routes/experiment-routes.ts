import { z } from "zod";
import { FailureKind, StillhouseError } from "../../../errors.js";
import type { Experiments } from "../../../experiment/experiments.js";
import type { Log } from "../../../experiment/ports.js";
import {
  CancelExperimentResponse,
  CreateExperimentRequest,
  CreateExperimentResponse,
  GetExperimentResponse,
  ListExperimentsResponse,
  ResolveExperimentRequest,
  ResolveExperimentResponse,
  ResumeExperimentResponse,
} from "../../../generated/stillhouse/v1/service.js";
import { invalid } from "../../../spec/invalid.js";
import { sendEvents } from "../event-stream.js";
import { count, text, uint64 } from "../query.js";
import { type MessageType, messageRoute, type Route } from "../route.js";

const EXPERIMENTS = "/api/v1/experiments";
const EXPERIMENT = `${EXPERIMENTS}/{id}`;

const eventsQuery = z.object({
  after: uint64.describe(
    "Sequence of the last event seen; the header Last-Event-ID does the same.",
  ),
});

/** ExperimentService of the protos over HTTP. */
export function experimentRoutes(experiments: Experiments, log: Log): Route[] {
  return [
    messageRoute({
      method: "get",
      path: EXPERIMENTS,
      rpc: "ExperimentService/ListExperiments",
      summary: "Experiments, newest first, a page at a time.",
      query: z.object({ page_size: count(0, 1000, 100), page_token: text }),
      answer: type("ListExperimentsResponse", ListExperimentsResponse),
      handle: ({ query }) => experiments.list(query.page_size, query.page_token),
    }),
    messageRoute({
      method: "post",
      path: EXPERIMENTS,
      rpc: "ExperimentService/CreateExperiment",
      summary: "Stores a resolved experiment and queues its tasks.",
      body: type("CreateExperimentRequest", CreateExperimentRequest),
      answer: type("CreateExperimentResponse", CreateExperimentResponse),
      handle: ({ body: { spec, requestId, reuseAfter } }) => ({
        experiment: experiments.create(given(spec, "spec"), requestId, reuseAfter),
      }),
    }),
    messageRoute({
      method: "post",
      path: `${EXPERIMENTS}:resolve`,
      rpc: "ExperimentService/ResolveExperiment",
      summary: "Fills in a draft from its preset and from what is found; stores nothing.",
      body: type("ResolveExperimentRequest", ResolveExperimentRequest),
      answer: type("ResolveExperimentResponse", ResolveExperimentResponse),
      handle: ({ body: { draft } }) => experiments.resolve(given(draft, "draft")),
    }),
    messageRoute({
      method: "get",
      path: EXPERIMENT,
      rpc: "ExperimentService/GetExperiment",
      summary: "An experiment with its tasks and results.",
      answer: type("GetExperimentResponse", GetExperimentResponse),
      handle: ({ path: { id = "" } }) => experiments.get(id),
    }),
    messageRoute({
      method: "post",
      path: `${EXPERIMENT}:cancel`,
      rpc: "ExperimentService/CancelExperiment",
      summary: "Stops the running tasks after a checkpoint; answers when none runs any more.",
      answer: type("CancelExperimentResponse", CancelExperimentResponse),
      handle: async ({ path: { id = "" } }) => ({ experiment: await experiments.cancel(id) }),
    }),
    messageRoute({
      method: "post",
      path: `${EXPERIMENT}:resume`,
      rpc: "ExperimentService/ResumeExperiment",
      summary: "Queues what is not yet done, from the last checkpoint.",
      answer: type("ResumeExperimentResponse", ResumeExperimentResponse),
      handle: ({ path: { id = "" } }) => ({ experiment: experiments.resume(id) }),
    }),
    eventsRoute(experiments, log),
  ];
}

function eventsRoute(experiments: Experiments, log: Log): Route {
  return {
    method: "get",
    path: `${EXPERIMENT}/events`,
    rpc: "ExperimentService/WatchExperiment",
    summary: "Server-sent events: the experiment as it is, then what happens to it until it ends.",
    query: eventsQuery,
    answer: { content: { "text/event-stream": { type: "string" } } },
    handle: async ({ path: { id = "" }, query }, response, request) => {
      const after = sequenceOf(request.get("Last-Event-ID") ?? (query.after as string));
      await sendEvents(response, log, (signal) => experiments.watch(id, after, signal));
    },
  };
}

function sequenceOf(raw: string): bigint {
  if (/^\d{1,19}$/.test(raw)) return BigInt(raw);
  throw invalid("after", `Last-Event-ID must be a whole number, got ${JSON.stringify(raw)}`);
}

function type<Message>(
  name: string,
  code: Omit<MessageType<Message>, "name">,
): MessageType<Message> {
  return { name, fromJSON: code.fromJSON, toJSON: code.toJSON };
}

function given<Message>(message: Message | undefined, field: string): Message {
  if (message !== undefined) return message;
  throw new StillhouseError(FailureKind.FAILURE_KIND_INVALID, `${field} must be set`, { field });
}
