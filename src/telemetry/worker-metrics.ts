import { Gauge, type Registry } from "prom-client";
import { type Worker, WorkerState } from "../generated/stillhouse/v1/service.js";

/** How long a lost worker is shown as down, so that an alert can be raised. */
const DOWN_SHOWN_MS = 900_000;

/** It has not said hello. */
const ABSENT: ReadonlySet<WorkerState> = new Set([WorkerState.PENDING, WorkerState.STARTING]);

type Label = "worker" | "host" | "device";

interface Known {
  readonly labels: Record<Label, string>;
  /** When it was last connected, on the monotonic clock. */
  presentAtMs: number;
}

/** The workers and their devices, read at each scrape. */
export class WorkerMetrics {
  readonly #monotonicMs: () => number;
  readonly #known = new Map<string, Known>();
  readonly #up: Gauge<Label>;
  readonly #busy: Gauge<Label>;
  readonly #setAside: Gauge<Label>;
  readonly #memoryTotal: Gauge<Label>;
  readonly #memoryUsed: Gauge<Label>;
  readonly #utilisation: Gauge<Label>;

  /** @param workers those that are connected */
  constructor(registry: Registry, monotonicMs: () => number, workers: () => readonly Worker[]) {
    this.#monotonicMs = monotonicMs;
    const gauge = (name: string, help: string, collect?: () => void) =>
      new Gauge({
        name,
        help,
        labelNames: ["worker", "host", "device"] satisfies Label[],
        registers: [registry],
        ...(collect ? { collect } : {}),
      });
    // The registry asks the gauges in this order, and the first one fills in all.
    this.#up = gauge("stillhouse_worker_up", "Whether a worker is connected.", () =>
      this.#collect(workers()),
    );
    this.#busy = gauge("stillhouse_worker_busy", "Whether a worker has a task.");
    this.#setAside = gauge(
      "stillhouse_worker_set_aside",
      "Whether a worker gets no more tasks because it failed one after the other.",
    );
    this.#memoryTotal = gauge(
      "stillhouse_worker_device_memory_total_bytes",
      "Memory of the device of a worker.",
    );
    this.#memoryUsed = gauge(
      "stillhouse_worker_device_memory_used_bytes",
      "Memory in use on the device of a worker, by any process.",
    );
    this.#utilisation = gauge(
      "stillhouse_worker_device_utilisation_ratio",
      "Share of the device of a worker that is busy.",
    );
  }

  #collect(workers: readonly Worker[]): void {
    const nowMs = this.#monotonicMs();
    for (const gauge of this.#all()) gauge.reset();
    const present = workers.filter(({ state }) => !ABSENT.has(state));
    for (const worker of present) this.#show(worker, nowMs);
    this.#showGone(new Set(present.map(({ id }) => id)), nowMs);
  }

  #all(): Gauge<Label>[] {
    const devices = [this.#memoryTotal, this.#memoryUsed, this.#utilisation];
    return [this.#up, this.#busy, this.#setAside, ...devices];
  }

  #show(worker: Worker, nowMs: number): void {
    const labels = { worker: worker.id, host: worker.host, device: worker.device };
    const leaves = worker.state === WorkerState.DRAINING;
    // A drained worker is not missed.
    if (leaves) this.#known.delete(worker.id);
    else this.#known.set(worker.id, { labels, presentAtMs: nowMs });
    this.#up.set(labels, 1);
    this.#busy.set(labels, worker.taskId === "" ? 0 : 1);
    this.#setAside.set(labels, worker.state === WorkerState.SET_ASIDE ? 1 : 0);
    if (worker.memoryTotalBytes === 0n) return;
    this.#memoryTotal.set(labels, Number(worker.memoryTotalBytes));
    this.#memoryUsed.set(labels, Number(worker.memoryUsedBytes));
    this.#utilisation.set(labels, worker.utilisation);
  }

  #showGone(present: ReadonlySet<string>, nowMs: number): void {
    for (const [id, { labels, presentAtMs }] of this.#known) {
      if (present.has(id)) continue;
      if (nowMs - presentAtMs > DOWN_SHOWN_MS) this.#known.delete(id);
      else this.#up.set(labels, 0);
    }
  }
}
