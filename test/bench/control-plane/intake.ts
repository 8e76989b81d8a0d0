import { setTimeout as sleep } from "node:timers/promises";
import type { MetricPoint } from "../../../src/generated/stillhouse/v1/experiment.js";
import { quantile } from "./figures.js";
import { storeQueued } from "./homes.js";
import { type BusyWorker, MeasuredPlane } from "./measured-plane.js";

const NAMES = ["outer_loss", "outer_gradient_norm", "inner_lr", "step_seconds"];
/** Half a second of a worker with 250 points per second; 200 such workers make 50,000 per second. */
export const POINTS_PER_REPORT = 125;
const SAMPLE_INTERVAL_MS = 250;

/** Called before each report, with its number of points: whether it is to be sent. */
type Goal = (numPoints: number) => boolean;

export interface Intake {
  readonly numPoints: number;
  readonly pointsPerSecond: number;
  /** Processor time of all threads of the control plane per million points. */
  readonly cpuSPerMillion: number;
  /** Resident memory of the control plane after a tenth of the points, and its peak afterwards. */
  readonly earlyRssBytes: number;
  readonly peakRssBytes: number;
  /** 99th percentile of the time of a list call meanwhile. */
  readonly callP99Ms: number;
}

interface Sample {
  /** Share of the points that had been sent. */
  readonly share: number;
  readonly rssBytes: number;
  readonly callMs: number;
}

/**
 * Every worker sends a report of metric points as soon as its last one is acknowledged, which
 * happens when its points are stored.
 */
export async function measureIntake(numWorkers: number, numPoints: number): Promise<Intake> {
  const prepare = (home: string) => storeQueued(home, numWorkers, 1);
  const plane = await MeasuredPlane.start({ prepare });
  try {
    const workers = await plane.connectWorkers(numWorkers);
    await Promise.all(workers.map((worker) => worker.nextTask()));
    const numReports = Math.ceil(numPoints / POINTS_PER_REPORT);
    let numSent = 0;
    const goal = () => numSent++ < numReports;
    const samples: Sample[] = [];
    const sampling = sample(plane, samples, () => numSent / numReports);
    const cpuBeforeS = (await plane.usage()).cpuS;
    const startMs = performance.now();
    await Promise.all(
      workers.map((worker) => new PointSender(worker).send(POINTS_PER_REPORT, goal)),
    );
    const seconds = (performance.now() - startMs) / 1000;
    await sampling;
    const cpuS = (await plane.usage()).cpuS - cpuBeforeS;
    const late = samples.filter(({ share }) => share >= 0.1);
    return {
      numPoints: numReports * POINTS_PER_REPORT,
      pointsPerSecond: (numReports * POINTS_PER_REPORT) / seconds,
      cpuSPerMillion: (cpuS * 1e6) / (numReports * POINTS_PER_REPORT),
      earlyRssBytes: late[0]?.rssBytes ?? Number.NaN,
      peakRssBytes: Math.max(...late.map(({ rssBytes }) => rssBytes)),
      callP99Ms: quantile(
        samples.map(({ callMs }) => callMs),
        0.99,
      ),
    };
  } finally {
    await plane.close();
  }
}

/** Samples the control plane until all points have been sent. */
async function sample(
  plane: MeasuredPlane,
  samples: Sample[],
  sentShare: () => number,
): Promise<void> {
  for (let share = 0; share < 1; await sleep(SAMPLE_INTERVAL_MS)) {
    share = sentShare();
    const startMs = performance.now();
    await plane.client.list(1, "");
    const callMs = performance.now() - startMs;
    samples.push({ share, rssBytes: (await plane.usage()).rssBytes, callMs });
  }
}

/** A worker that numbers its points without a gap. */
export class PointSender {
  readonly #worker: BusyWorker;
  #next = 1;

  constructor(worker: BusyWorker) {
    this.#worker = worker;
  }

  async send(numPoints: number, goal: Goal): Promise<void> {
    while (goal(numPoints)) {
      const value = { points: pointsFrom(this.#next, numPoints) };
      this.#next += numPoints;
      await this.#worker.worker.report(this.#worker.assign, { $case: "metrics", value });
      await this.#worker.acknowledged();
    }
  }
}

function pointsFrom(first: number, numPoints: number): MetricPoint[] {
  const time = new Date();
  return Array.from({ length: numPoints }, (_, index) => {
    const step = Math.floor((first + index) / NAMES.length);
    const name = NAMES[(first + index) % NAMES.length] ?? "";
    return { sequence: BigInt(first + index), name, step: BigInt(step), value: 1 / step, time };
  });
}
