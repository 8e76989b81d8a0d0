import type { MetricPoint, Task } from "../../generated/stillhouse/v1/experiment.js";
import type { TaskCount } from "./queue-ports.js";
import type { ExperimentRecord } from "./record.js";

/** Why a task was taken from its worker. */
export type LeaseEnd = "silent" | "stalled" | "did_not_stop";

/** Why a report was not taken in: it has impossible values, or it could not be stored. */
export type ReportRefusal = "invalid" | "not_stored";

/** The messages about a lease, which must prove that it is the sender's. */
export type ClaimingMessage = "hello" | "heartbeat" | "report" | "upload" | "download";

/** Observes events for measurements. Each call is cheap, throws nothing and changes nothing. */
export interface Observer {
  /** What an earlier process left unfinished. */
  tookOver(numExperiments: number, tasks: readonly TaskCount[]): void;
  /**
   * An experiment was created or has changed, or was taken over while a task of it runs.
   *
   * @param before as it was, equal to `after` where it was taken over; undefined for a new one
   */
  changed(before: ExperimentRecord | undefined, after: ExperimentRecord): void;
  /**
   * An experiment was deleted.
   *
   * @param isUnfinished whether it cannot be read and has not ended, as far as is known
   */
  removed(experimentId: string, isUnfinished: boolean): void;
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
  tookOver: () => undefined,
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
    tookOver: (numExperiments, tasks) => {
      for (const observer of observers) observer.tookOver(numExperiments, tasks);
    },
    changed: (before, after) => {
      for (const observer of observers) observer.changed(before, after);
    },
    removed: (id, isUnfinished) => {
      for (const observer of observers) observer.removed(id, isUnfinished);
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
