import type { Fleet } from "../../../experiment/fleet.js";
import {
  DrainWorkerResponse,
  ListWorkersResponse,
} from "../../../generated/stillhouse/v1/service.js";
import { message, messageRoute, type Route } from "../route.js";

const WORKERS = "/api/v1/workers";

/** WorkerService of the protos over HTTP. */
export function workerRoutes(fleet: Fleet): Route[] {
  return [
    messageRoute({
      method: "get",
      path: WORKERS,
      rpc: "WorkerService/ListWorkers",
      summary: "The workers that are there, their devices, and what they do.",
      answer: message("ListWorkersResponse", ListWorkersResponse),
      handle: () => fleet.list(),
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
