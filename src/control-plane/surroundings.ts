import { randomBytes } from "node:crypto";
import type { Clock, Ids } from "../experiment/domain/ports.js";
import {
  ConnectionLimits,
  connectionsWithin,
  openFileLimit,
} from "../security/connection-limits.js";
import { isLoopback } from "../security/network.js";
import { type ControlPlaneOptions, LOOPBACK } from "./options.js";

export const clock: Clock = {
  now: () => new Date(),
  monotonicMs: () => performance.now(),
};

export const ids: Ids = {
  experiment: () => randomBytes(5).toString("hex"),
  worker: () => `worker-${randomBytes(4).toString("hex")}`,
  isOfWorker: (id) => /^worker-[0-9a-f]{8}$/.test(id),
  launch: (pool, planeId) => `${pool}-${planeId}-${randomBytes(4).toString("hex")}`,
  isOfLaunch: (id, pool, planeId) => id.startsWith(`${pool}-${planeId}-`),
};

/** Half of the places for one address, but on loopback, where all clients have the same one. */
export function connectionLimits(
  { host = LOOPBACK, maxOpenFiles = openFileLimit() }: ControlPlaneOptions,
  filesPerConnection = 1,
) {
  const most = connectionsWithin(maxOpenFiles, filesPerConnection);
  return new ConnectionLimits(most, isLoopback(host) ? most : Math.ceil(most / 2));
}
