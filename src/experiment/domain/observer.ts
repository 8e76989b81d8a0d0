import type { MetricPoint, Task } from "../../generated/stillhouse/v1/experiment.js";
import type { ExperimentRecord } from "./record.js";

/** Why a task was taken from its worker. */
export type LeaseEnd = "silent" | "stalled" | "did_not_stop";

/** Why a report was not taken in: it has impossible values, or it could not be stored. */
export type ReportRefusal = "invalid" | "not_stored";

/** The messages about a lease, which must prove that it is the sender's. */
export type ClaimingMessage = "hello" | "heartbeat" | "report" | "upload" | "download";

/** Observes events for measurements. Each call is cheap, throws nothing and changes nothing. */
export interface Observer {
  /**
   * An experiment was created, or taken over from an earlier process.
   *
   * @param before as it was; undefined where this process has not seen it
   */
  changed(before: ExperimentRecord | undefined, after: ExperimentRecord): void;
  /** An experiment that had ended was deleted. */
  removed(experimentId: string): void;
  /** Points that a task reported. */
  metrics(task: Task, points: readonly MetricPoint[]): void;
  leaseExpired(reason: LeaseEnd): void;
  /** A report could not be taken in; where its attempt was the current one, that ended by it. */
  reportRefused(reason: ReportRefusal): void;
  /** A message about an attempt came without its secret, and was ignored. */
  claimRefused(message: ClaimingMessage): void;
  /** A worker was refused for its key, its id or its version. */
  workerRefused(): void;
}

/** Observes nothing. */
export const UNOBSERVED: Observer = {
  changed: () => undefined,
  removed: () => undefined,
  metrics: () => undefined,
  leaseExpired: () => undefined,
  reportRefused: () => undefined,
  claimRefused: () => undefined,
  workerRefused: () => undefined,
};

/** An observer that notifies several, in this order. */
export function allOf(observers: readonly Observer[]): Observer {
  return {
    changed: (before, after) => {
      for (const observer of observers) observer.changed(before, after);
    },
    removed: (id) => {
      for (const observer of observers) observer.removed(id);
    },
    metrics: (task, points) => {
      for (const observer of observers) observer.metrics(task, points);
    },
    leaseExpired: (reason) => {
      for (const observer of observers) observer.leaseExpired(reason);
    },
    reportRefused: (reason) => {
      for (const observer of observers) observer.reportRefused(reason);
    },
    claimRefused: (message) => {
      for (const observer of observers) observer.claimRefused(message);
    },
    workerRefused: () => {
      for (const observer of observers) observer.workerRefused();
    },
  };
}
