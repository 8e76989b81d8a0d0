import { Histogram, type Registry } from "prom-client";

const SECONDS_OF_REQUESTS = [0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 60];

/** The duration of HTTP requests. */
export class RequestMetrics {
  readonly #seconds: Histogram<"method" | "route" | "status">;

  constructor(registry: Registry) {
    this.#seconds = new Histogram({
      name: "stillhouse_http_request_seconds",
      help: "Time until an HTTP request was answered, streams of events excluded.",
      labelNames: ["method", "route", "status"],
      buckets: SECONDS_OF_REQUESTS,
      registers: [registry],
    });
  }

  /** @param route as the description of the interface writes it, never as the client does */
  answered(method: string, route: string, status: number, seconds: number): void {
    this.#seconds.observe({ method, route, status: String(status) }, seconds);
  }
}
