import { Counter, type Registry } from "prom-client";
import type { ClaimingMessage, ReportRefusal } from "../experiment/domain/observer.js";

const MESSAGES = [
  "hello",
  "heartbeat",
  "report",
  "upload",
  "download",
] as const satisfies ClaimingMessage[];

const REPORT_REFUSALS = ["invalid", "not_stored"] as const satisfies ReportRefusal[];

/** Messages and workers that were refused. */
export class RefusalMetrics {
  readonly #claims: Counter<"message">;
  readonly #workers: Counter;
  readonly #reports: Counter<"reason">;

  constructor(registry: Registry) {
    const registers = [registry];
    this.#claims = new Counter({
      name: "stillhouse_lease_refusals_total",
      help: "Messages about an attempt at a task without its secret.",
      labelNames: ["message"],
      registers,
    });
    this.#workers = new Counter({
      name: "stillhouse_worker_refusals_total",
      help: "Workers that were refused for their key, their id or their version.",
      registers,
    });
    this.#reports = new Counter({
      name: "stillhouse_report_refusals_total",
      help: "Reports of workers that were not taken in, for impossible values or since they could not be stored.",
      labelNames: ["reason"],
      registers,
    });
    // Without a zero first, Prometheus computes no rate for the first value.
    for (const message of MESSAGES) this.#claims.inc({ message }, 0);
    for (const reason of REPORT_REFUSALS) this.#reports.inc({ reason }, 0);
  }

  claimRefused(message: ClaimingMessage): void {
    this.#claims.inc({ message });
  }

  reportRefused(reason: ReportRefusal): void {
    this.#reports.inc({ reason });
  }

  workerRefused(): void {
    this.#workers.inc();
  }
}
