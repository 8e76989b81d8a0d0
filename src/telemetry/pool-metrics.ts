import { Counter, Gauge, type Registry } from "prom-client";
import type { PoolFigures } from "../experiment/scheduling/pool-figures.js";

const PREFIX = "stillhouse_pool";

/** The pools of workers, read at each scrape. */
export class PoolMetrics {
  /** @param pools those that may have workers */
  constructor(registry: Registry, pools: () => readonly PoolFigures[]) {
    const gauge = (name: string, help: string, read: (figures: PoolFigures) => number) =>
      new Gauge({
        name: `${PREFIX}_${name}`,
        help,
        labelNames: ["pool"],
        registers: [registry],
        collect() {
          for (const each of pools()) this.set({ pool: each.name }, read(each));
        },
      });
    gauge(
      "wanted_workers",
      "Workers of a pool that would have a task: those with one, and one per ready task that fits.",
      ({ numWanted }) => numWanted,
    );
    gauge("max_workers", "Most workers that a pool may have.", ({ most }) => most);
    new Gauge({
      name: `${PREFIX}_workers`,
      help: "Workers of a pool: asked for without an answer, waiting in the engine's queue, running.",
      labelNames: ["pool", "phase"],
      registers: [registry],
      collect() {
        for (const { name: pool, numAsked, numPending, numRunning } of pools()) {
          this.set({ pool, phase: "asked" }, numAsked);
          this.set({ pool, phase: "pending" }, numPending);
          this.set({ pool, phase: "running" }, numRunning);
        }
      },
    });
    new Counter({
      name: `${PREFIX}_refused_launches_total`,
      help: "Workers that the engine of a pool has refused to start.",
      labelNames: ["pool"],
      registers: [registry],
      collect() {
        this.reset();
        for (const { name, numRefused } of pools()) this.inc({ pool: name }, numRefused);
      },
    });
  }
}
