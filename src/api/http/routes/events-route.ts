import { z } from "zod";
import { invalid } from "../../../errors.js";
import type { Log } from "../../../experiment/domain/ports.js";
import type { Experiments } from "../../../experiment/services/experiments.js";
import { httpPlaceOf } from "../../../messages/methods.js";
import { sendEvents } from "../event-stream.js";
import { uint64 } from "../query.js";
import type { Route } from "../route.js";

const query = z.object({
  after: uint64.describe(
    "Sequence of the last event seen; the header Last-Event-ID does the same.",
  ),
});

/** The events of an experiment as server-sent events. */
export function eventsRoute(experiments: Experiments, log: Log): Route {
  const rpc = "ExperimentService/WatchExperiment";
  return {
    ...httpPlaceOf(rpc),
    rpc,
    summary:
      "Server-sent events: the experiment as it is, then what happens to it. The last one is named " +
      "end when it has ended, or failure with what went wrong.",
    query,
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
