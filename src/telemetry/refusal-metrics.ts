import { Counter, type Registry } from "prom-client";
import type { ClaimingMessage } from "../experiment/observer.js";

const MESSAGES = [
  "hello",
  "heartbeat",
  "report",
  "upload",
  "download",
] as const satisfies ClaimingMessage[];

/** What workers were refused. */
export class RefusalMetrics {
  readonly #claims: Counter<"message">;
  readonly #workers: Counter;

  constructor(registry: Registry) {
    const registers = [registry];
    this.#claims = new Counter({
      name: "stillhouse_lease_refusals_total",
      help: "Messages about an attempt at a task that came without its secret.",
      labelNames: ["message"],
      registers,
    });
    this.#workers = new Counter({
      name: "stillhouse_worker_refusals_total",
      help: "Workers that were not let in, by their key, their id or their version.",
      registers,
    });
    // A series that first shows with its first value has no rate for it.
    for (const message of MESSAGES) this.#claims.inc({ message }, 0);
  }

  claimRefused(message: ClaimingMessage): void {
    this.#claims.inc({ message });
  }

  workerRefused(): void {
    this.#workers.inc();
  }
}
