import { z } from "zod";
import { invalid } from "../../../errors.js";
import type { Log } from "../../../experiment/domain/ports.js";
import type { Experiments } from "../../../experiment/services/experiments.js";
import { State } from "../../../generated/stillhouse/v1/experiment.js";
import {
  CancelExperimentResponse,
  CompareExperimentsResponse,
  CreateExperimentRequest,
  CreateExperimentResponse,
  DeleteExperimentResponse,
  ExperimentOrder,
  GetExperimentResponse,
  ListExperimentsRequest,
  ListExperimentsResponse,
  ResolveExperimentRequest,
  ResolveExperimentResponse,
  ResumeExperimentResponse,
  RetryExperimentResponse,
} from "../../../generated/stillhouse/v1/service.js";
import { sendEvents } from "../event-stream.js";
import { count, named, repeated, text, uint64 } from "../query.js";
import { message, messageRoute, type Route } from "../route.js";

const EXPERIMENTS = "/api/v1/experiments";
const EXPERIMENT = `${EXPERIMENTS}/{id}`;

const listQuery = z.object({
  page_size: count(0, 1000, 100),
  page_token: text.describe("Of the page before, with the same filter and order."),
  state: repeated(named(State)).describe("Any of these."),
  dataset: text,
  model: text,
  owner: text,
  sweep_id: text,
  text: text.describe("Part of the id or the name, in any case."),
  order: named(ExperimentOrder).default(ExperimentOrder.NEWEST_FIRST),
});

const eventsQuery = z.object({
  after: uint64.describe(
    "Sequence of the last event seen; the header Last-Event-ID does the same.",
  ),
});

/** ExperimentService of the protos over HTTP. */
export function experimentRoutes(experiments: Experiments, log: Log): Route[] {
  return [
    ...collectionRoutes(experiments),
    ...lifeRoutes(experiments),
    eventsRoute(experiments, log),
  ];
}

function collectionRoutes(experiments: Experiments): Route[] {
  return [
    messageRoute({
      method: "get",
      path: EXPERIMENTS,
      rpc: "ExperimentService/ListExperiments",
      summary: "Experiments that fit a filter, a page at a time.",
      query: listQuery,
      answer: message("ListExperimentsResponse", ListExperimentsResponse),
      handle: ({ query: { page_size, page_token, state, order, sweep_id, ...filter } }) =>
        experiments.list(
          ListExperimentsRequest.fromPartial({
            pageSize: page_size,
            pageToken: page_token,
            filter: { ...filter, sweepId: sweep_id, states: state as State[] },
            order: order as ExperimentOrder,
          }),
        ),
    }),
    messageRoute({
      method: "post",
      path: EXPERIMENTS,
      rpc: "ExperimentService/CreateExperiment",
      summary: "Stores a resolved experiment and queues its tasks.",
      body: message("CreateExperimentRequest", CreateExperimentRequest),
      answer: message("CreateExperimentResponse", CreateExperimentResponse),
      handle: ({ body }) => ({ experiment: experiments.create(body) }),
    }),
    messageRoute({
      method: "post",
      path: `${EXPERIMENTS}:resolve`,
      rpc: "ExperimentService/ResolveExperiment",
      summary: "Fills in a draft from its preset and from what is found; stores nothing.",
      body: message("ResolveExperimentRequest", ResolveExperimentRequest),
      answer: message("ResolveExperimentResponse", ResolveExperimentResponse),
      handle: ({ body, mayName }) => experiments.resolve(body, mayName),
    }),
    messageRoute({
      method: "get",
      path: `${EXPERIMENTS}:compare`,
      rpc: "ExperimentService/CompareExperiments",
      summary: "Settings that differ, and how much better one is than the first.",
      query: z.object({ id: repeated(z.string()).describe("2 to 100 experiments.") }),
      answer: message("CompareExperimentsResponse", CompareExperimentsResponse),
      handle: ({ query }) => experiments.compare({ experimentIds: query.id }),
    }),
  ];
}

function lifeRoutes(experiments: Experiments): Route[] {
  return [
    messageRoute({
      method: "get",
      path: EXPERIMENT,
      rpc: "ExperimentService/GetExperiment",
      summary: "An experiment with its tasks and results.",
      answer: message("GetExperimentResponse", GetExperimentResponse),
      handle: ({ path: { id = "" } }) => experiments.get(id),
    }),
    messageRoute({
      method: "delete",
      path: EXPERIMENT,
      rpc: "ExperimentService/DeleteExperiment",
      summary: "Removes an experiment that has ended, with its events and metrics.",
      answer: message("DeleteExperimentResponse", DeleteExperimentResponse),
      handle: ({ path: { id = "" } }) => {
        experiments.delete(id);
        return {};
      },
    }),
    messageRoute({
      method: "post",
      path: `${EXPERIMENT}:cancel`,
      rpc: "ExperimentService/CancelExperiment",
      summary: "Stops the running tasks after a checkpoint; answers when none runs any more.",
      answer: message("CancelExperimentResponse", CancelExperimentResponse),
      handle: async ({ path: { id = "" } }) => ({ experiment: await experiments.cancel(id) }),
    }),
    messageRoute({
      method: "post",
      path: `${EXPERIMENT}:resume`,
      rpc: "ExperimentService/ResumeExperiment",
      summary: "Queues what is not yet done, from the last checkpoint.",
      answer: message("ResumeExperimentResponse", ResumeExperimentResponse),
      handle: ({ path: { id = "" } }) => ({ experiment: experiments.resume(id) }),
    }),
    messageRoute({
      method: "post",
      path: `${EXPERIMENT}:retry`,
      rpc: "ExperimentService/RetryExperiment",
      summary: "Queues what failed or was cancelled anew, without its checkpoints.",
      answer: message("RetryExperimentResponse", RetryExperimentResponse),
      handle: ({ path: { id = "" } }) => ({ experiment: experiments.retry(id) }),
    }),
  ];
}

function eventsRoute(experiments: Experiments, log: Log): Route {
  return {
    method: "get",
    path: `${EXPERIMENT}/events`,
    rpc: "ExperimentService/WatchExperiment",
    summary:
      "Server-sent events: the experiment as it is, then what happens to it. The last one is named " +
      "end when it has ended, or failure with what went wrong.",
    query: eventsQuery,
    answer: { content: { "text/event-stream": { type: "string" } } },
    handle: async ({ path: { id = "" }, query }, response, request) => {
      const afterSequence = sequenceOf(request.get("Last-Event-ID") ?? String(query.after));
      const asked = { experimentId: id, afterSequence };
      await sendEvents(response, log, (signal) => experiments.watch(asked, signal));
    },
  };
}

function sequenceOf(raw: string): bigint {
  if (/^\d{1,19}$/.test(raw)) return BigInt(raw);
  throw invalid("after", `Last-Event-ID must be a whole number, got ${JSON.stringify(raw)}`);
}
