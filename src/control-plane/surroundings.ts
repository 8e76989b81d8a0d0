import { randomBytes } from "node:crypto";
import { fewWarnings } from "../experiment/domain/line-rate.js";
import type { Clock, Ids, Log } from "../experiment/domain/ports.js";
import {
  ConnectionLimits,
  type ConnectionNews,
  type ConnectionRoom,
  connectionsWithin,
  openFileLimit,
} from "../security/connection-limits.js";
import { isLoopback } from "../security/network.js";
import { type Capacity, type ControlPlaneOptions, LOOPBACK } from "./options.js";

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

/** Files that the process may have open, and the connections that follow from them. */
export function capacityOf({ maxOpenFiles = openFileLimit() }: ControlPlaneOptions): Capacity {
  return { openFiles: maxOpenFiles, ...connectionsWithin(maxOpenFiles) };
}

/** Half of the places for one address, but on loopback, where all have the same one. */
export function connectionLimits(
  options: ControlPlaneOptions,
  server: keyof ConnectionRoom,
  news: ConnectionNews = {},
): ConnectionLimits {
  const most = capacityOf(options)[server];
  const { host = LOOPBACK } = options;
  return new ConnectionLimits(most, isLoopback(host) ? most : Math.ceil(most / 2), news);
}

/** Has the log say that there are too few places for workers. */
export function newsOfWorkers(log: Log): ConnectionNews {
  const remedy = "a higher limit of open files lets in more (ulimit -Hn, LimitNOFILE=)";
  const warnings = fewWarnings(log);
  return {
    nearlyFull: (count, max) =>
      log.warn(`${count} of at most ${max} workers are connected; ${remedy}`),
    refused: ({ remoteAddress }, why) =>
      warnings.warn(`a worker at ${remoteAddress} was not let in, since ${why}; ${remedy}`),
  };
}
