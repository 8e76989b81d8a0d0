import { z } from "zod";
import type { Sweeps } from "../../../experiment/services/sweeps.js";
import {
  CreateSweepRequest,
  CreateSweepResponse,
  GetSweepResponse,
  ListSweepsResponse,
} from "../../../generated/stillhouse/v1/service.js";
import { count, text } from "../query.js";
import { message, messageRoute, type Route } from "../route.js";

const SWEEPS = "/api/v1/sweeps";

/** SweepService of the protos over HTTP. */
export function sweepRoutes(sweeps: Sweeps): Route[] {
  return [
    messageRoute({
      method: "get",
      path: SWEEPS,
      rpc: "SweepService/ListSweeps",
      summary: "Sweeps, newest first, a page at a time.",
      query: z.object({ page_size: count(0, 1000, 100), page_token: text }),
      answer: message("ListSweepsResponse", ListSweepsResponse),
      handle: ({ query }) =>
        sweeps.list({ pageSize: query.page_size, pageToken: query.page_token }),
    }),
    messageRoute({
      method: "post",
      path: SWEEPS,
      rpc: "SweepService/CreateSweep",
      summary: "Stores a sweep of resolved specs as a whole, then queues it.",
      body: message("CreateSweepRequest", CreateSweepRequest),
      answer: message("CreateSweepResponse", CreateSweepResponse),
      handle: ({ body }) => sweeps.create(body),
    }),
    messageRoute({
      method: "get",
      path: `${SWEEPS}/{id}`,
      rpc: "SweepService/GetSweep",
      summary: "A sweep, its experiments, and how many of them are in each state.",
      answer: message("GetSweepResponse", GetSweepResponse),
      handle: ({ path: { id = "" } }) => sweeps.get({ sweepId: id }),
    }),
  ];
}
