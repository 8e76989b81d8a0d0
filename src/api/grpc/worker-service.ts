import type { Log } from "../../experiment/domain/ports.js";
import type { Fleet } from "../../experiment/services/fleet.js";
import type { WorkerServiceServer } from "../../generated/stillhouse/v1/service.js";
import { unary } from "./calls.js";

/** WorkerService of the protos over the domain. */
export function workerService(fleet: Fleet, log: Log): WorkerServiceServer {
  return {
    listWorkers: unary(log, (request) => fleet.list(request)),
    drainWorker: unary(log, (request) => fleet.drain(request)),
  };
}
