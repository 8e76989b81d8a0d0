import type { Log } from "../../experiment/domain/ports.js";
import type { Sweeps } from "../../experiment/services/sweeps.js";
import type { SweepServiceServer } from "../../generated/stillhouse/v1/service.js";
import { unary } from "./calls.js";

/** SweepService of the protos over the domain. */
export function sweepService(sweeps: Sweeps, log: Log): SweepServiceServer {
  return {
    createSweep: unary(log, (request) => sweeps.create(request)),
    getSweep: unary(log, (request) => sweeps.get(request)),
    listSweeps: unary(log, (request) => sweeps.list(request)),
  };
}
