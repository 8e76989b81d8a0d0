import { setMaxListeners } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import type { StillhouseClient } from "../../../src/api/client.js";
import { type Event, LogLevel } from "../../../src/generated/stillhouse/v1/experiment.js";
import { quantile } from "./figures.js";
import { storeQueued } from "./homes.js";
import { type BusyWorker, MeasuredPlane } from "./measured-plane.js";

const NUM_EXPERIMENTS = 20;
const REPORT_INTERVAL_MS = 250;
const SENT_MS = "sent_ms";
/** Time for the last events to arrive. */
const SETTLE_MS = 1_000;

export interface WatchDelay {
  readonly numEvents: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

/** Time from a worker's report of progress or a log line, which is stored, to the watcher's event. */
export async function measureWatching(numWatchers: number, seconds: number): Promise<WatchDelay> {
  const prepare = (home: string) => storeQueued(home, NUM_EXPERIMENTS, 1);
  const plane = await MeasuredPlane.start({ prepare });
  const ending = new AbortController();
  setMaxListeners(numWatchers, ending.signal);
  try {
    const workers = await plane.connectWorkers(NUM_EXPERIMENTS);
    await Promise.all(workers.map((worker) => worker.nextTask()));
    const clients = plane.clientsFor(numWatchers);
    const watchers = Array.from({ length: numWatchers }, (_, index) => {
      const client = clients[index % clients.length] as StillhouseClient;
      const id = workers[index % NUM_EXPERIMENTS]?.assign.experimentId ?? "";
      return new Watcher(client.watch(id, 0n, ending.signal));
    });
    await Promise.all(watchers.map((watcher) => watcher.begin()));
    const watching = watchers.map((watcher) => watcher.delaysMs());
    await Promise.all(workers.map((worker) => report(worker, seconds)));
    await sleep(SETTLE_MS);
    ending.abort();
    const delaysMs = (await Promise.all(watching)).flat();
    return {
      numEvents: delaysMs.length,
      p50Ms: quantile(delaysMs, 0.5),
      p99Ms: quantile(delaysMs, 0.99),
    };
  } finally {
    ending.abort();
    await plane.close();
  }
}

class Watcher {
  readonly #events: AsyncGenerator<Event, void>;

  constructor(events: AsyncGenerator<Event, void>) {
    this.#events = events;
  }

  /** Resolves with the first event, which is the present experiment. */
  async begin(): Promise<void> {
    await this.#events.next();
  }

  /** The delays of all events until the watch ends. */
  async delaysMs(): Promise<number[]> {
    const delaysMs: number[] = [];
    for await (const { kind } of this.#events) {
      const nowMs = performance.now();
      if (kind?.$case === "progress") delaysMs.push(nowMs - (kind.value.values[SENT_MS] ?? 0));
      if (kind?.$case === "log") delaysMs.push(nowMs - Number(kind.value.message));
    }
    return delaysMs;
  }
}

async function report({ worker, assign }: BusyWorker, seconds: number): Promise<void> {
  await sleep(Math.random() * REPORT_INTERVAL_MS);
  for (let count = 0; count * REPORT_INTERVAL_MS < seconds * 1000; count++) {
    const sentMs = performance.now();
    if (count % 4 === 0) {
      const value = { level: LogLevel.INFO, message: String(sentMs), time: new Date() };
      await worker.report(assign, { $case: "log", value });
    } else {
      const progress = { stage: "training", done: BigInt(count), total: 1000n };
      const value = { ...progress, perSecond: 4, secondsLeft: 1, values: { [SENT_MS]: sentMs } };
      await worker.report(assign, { $case: "progress", value });
    }
    await sleep(REPORT_INTERVAL_MS);
  }
}
