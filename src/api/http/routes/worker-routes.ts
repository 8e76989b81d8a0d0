import { z } from "zod";
import type { Fleet } from "../../../experiment/services/fleet.js";
import {
  DrainWorkerResponse,
  ListWorkersResponse,
} from "../../../generated/stillhouse/v1/service.js";
import { count, text } from "../query.js";
import { message, messageRoute, type Route } from "../route.js";

const WORKERS = "/api/v1/workers";

/** WorkerService of the protos over HTTP. */
export function workerRoutes(fleet: Fleet): Route[] {
  return [
    messageRoute({
      method: "get",
      path: WORKERS,
      rpc: "WorkerService/ListWorkers",
      summary: "The workers that are there, their devices, and what they do; a page at a time.",
      query: z.object({ page_size: count(0, 1000, 1000), page_token: text }),
      answer: message("ListWorkersResponse", ListWorkersResponse),
      handle: ({ query }) => fleet.list({ pageSize: query.page_size, pageToken: query.page_token }),
    }),
    messageRoute({
      method: "post",
      path: `${WORKERS}/{id}:drain`,
      rpc: "WorkerService/DrainWorker",
      summary: "Lets a worker end its task and leave.",
      answer: message("DrainWorkerResponse", DrainWorkerResponse),
      handle: ({ path: { id = "" } }) => fleet.drain({ workerId: id }),
    }),
  ];
}
